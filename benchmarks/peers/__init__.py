"""Those maillon is measured against, each in a process of its own, and the trainings all of them carry out."""
