"""English dates with a 24-hour clock: the workshop's shifts are read that way."""

TIME_FORMAT = "H:i"
SHORT_DATETIME_FORMAT = "D j M H:i"
SHORT_DATE_FORMAT = "D j M"
DATETIME_FORMAT = "l j F Y, H:i"
