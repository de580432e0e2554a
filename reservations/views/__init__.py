"""The trainees' pages: translate in, call the door, translate out."""
