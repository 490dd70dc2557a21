"""check_handout: classes of a course's handout, checked as they are."""
