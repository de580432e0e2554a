"""German dates as people in a workshop write them."""

SHORT_DATETIME_FORMAT = "D j.n. H:i"
SHORT_DATE_FORMAT = "D j.n."
DATETIME_FORMAT = "l, j. F Y, H:i"
