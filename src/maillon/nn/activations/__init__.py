"""Activations: functions of each element, and the softmaxes."""
