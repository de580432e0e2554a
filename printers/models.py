"""Machines, where they stand, when they may be used, and what booking them asks for."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import Qualification
from plugs.models import SmartPlug
from printers.choices import Kind, Service, Weekday

# No booking is longer, whoever makes it: a query for a week need not look further back than this.
LONGEST_MINUTES = 31 * 24 * 60
# Beyond these a rule is a slip of the keyboard, and the calendar ends before the plan does.
MOST_DAYS = 3650
MOST_NOTICE_MINUTES = 365 * 24 * 60
MOST_MINUTES_AFTER = 7 * 24 * 60
MOST_WATTS = 100_000


class Location(models.Model):
    """A room with opening hours. Without any hours it is always open."""

    name = models.CharField(_("name"), max_length=100, unique=True)

    class Meta:
        verbose_name = _("location")
        verbose_name_plural = _("locations")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class OpeningHours(models.Model):
    """The location is open on this weekday from ``opens`` to ``closes``, in the workshop's time."""

    location = models.ForeignKey(
        Location, verbose_name=_("location"), on_delete=models.CASCADE, related_name="hours"
    )
    weekday = models.PositiveSmallIntegerField(_("weekday"), choices=Weekday)
    opens = models.TimeField(_("opens"))
    closes = models.TimeField(_("closes"))

    class Meta:
        verbose_name = _("opening hours")
        verbose_name_plural = _("opening hours")
        ordering = ["location", "weekday", "opens"]
        constraints = [
            models.CheckConstraint(
                name="printers_hours_forward",
                condition=Q(closes__gt=F("opens")),
                violation_error_message=_("It must close after it opens."),
            ),
            models.UniqueConstraint(fields=["location", "weekday", "opens"], name="printers_hours_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.opens:%H:%M}–{self.closes:%H:%M}"


class Printer(models.Model):
    """A machine that can be booked; most are 3D printers without any network interface."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind, default=Kind.PRINTER)
    maker = models.CharField(_("maker"), max_length=100, blank=True)
    model = models.CharField(_("model"), max_length=100, blank=True)
    location = models.ForeignKey(
        Location,
        verbose_name=_("location"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="printers",
        help_text=_("Without a location the machine can be booked at any hour."),
    )
    picture = models.ImageField(_("picture"), upload_to="printers/", blank=True)
    network_address = models.CharField(
        _("network address"), max_length=255, blank=True, help_text=_("For the few machines that have one.")
    )
    note = models.TextField(_("note for everybody"), blank=True)
    plug = models.OneToOneField(
        SmartPlug,
        verbose_name=_("smart plug"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="printer",
        help_text=_("Without a plug the machine can be booked, but not switched."),
    )
    service = models.CharField(_("service"), max_length=20, choices=Service, default=Service.IN_SERVICE)
    service_note = models.CharField(_("reason, shown to everybody"), max_length=200, blank=True)

    # booking rules
    step_minutes = models.PositiveSmallIntegerField(
        _("step (min)"), default=15, validators=[MinValueValidator(5), MaxValueValidator(240)]
    )
    min_minutes = models.PositiveIntegerField(
        _("shortest booking (min)"), default=15, validators=[MaxValueValidator(LONGEST_MINUTES)]
    )
    max_minutes = models.PositiveIntegerField(
        _("longest booking (min)"), default=7 * 24 * 60, validators=[MaxValueValidator(LONGEST_MINUTES)]
    )
    horizon_days = models.PositiveIntegerField(
        _("bookable ahead (days)"), default=60, validators=[MaxValueValidator(MOST_DAYS)]
    )
    notice_minutes = models.PositiveIntegerField(
        _("notice before the start (min)"), default=0, validators=[MaxValueValidator(MOST_NOTICE_MINUTES)]
    )
    buffer_minutes = models.PositiveIntegerField(
        _("buffer after each booking (min)"), default=0, validators=[MaxValueValidator(MOST_MINUTES_AFTER)]
    )
    is_open_at_night = models.BooleanField(
        _("may run on after closing time"),
        default=True,
        help_text=_("A booking still has to start inside the opening hours."),
    )
    needs_approval = models.BooleanField(_("each booking needs a trainer's approval"), default=False)
    qualifications = models.ManyToManyField(
        Qualification, verbose_name=_("qualifications needed"), blank=True, related_name="printers"
    )

    # power
    lead_minutes = models.PositiveIntegerField(
        _("switch on before the start (min)"), default=0, validators=[MaxValueValidator(240)]
    )
    cool_down_minutes = models.PositiveIntegerField(
        _("cool-down after the end (min)"), default=5, validators=[MaxValueValidator(MOST_MINUTES_AFTER)]
    )
    idle_below_w = models.FloatField(
        _("idle below (W)"), default=15, validators=[MinValueValidator(0), MaxValueValidator(MOST_WATTS)]
    )
    busy_above_w = models.FloatField(
        _("working above (W)"), default=40, validators=[MinValueValidator(0), MaxValueValidator(MOST_WATTS)]
    )
    hard_limit_minutes = models.PositiveIntegerField(
        _("hard limit after the end (min)"),
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_MINUTES_AFTER)],
        help_text=_("A print that still runs is cut this long after the end. Empty: never cut."),
    )

    class Meta:
        verbose_name = _("machine")
        verbose_name_plural = _("machines")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="printers_lengths_in_order",
                condition=Q(max_minutes__gte=F("min_minutes")),
                violation_error_message=_("The longest booking must not be shorter than the shortest."),
            ),
            models.CheckConstraint(
                name="printers_limits_in_order",
                condition=Q(busy_above_w__gte=F("idle_below_w")),
                violation_error_message=_("“Working above” must not be less than “idle below”."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The machine's own page."""
        return reverse("printer", args=[self.pk])


class Outage(models.Model):
    """A machine or a whole location is shut for a while."""

    printer = models.ForeignKey(
        Printer,
        verbose_name=_("machine"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="outages",
    )
    location = models.ForeignKey(
        Location,
        verbose_name=_("location"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="outages",
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    reason = models.CharField(_("reason, shown to everybody"), max_length=200)

    class Meta:
        verbose_name = _("outage or closure")
        verbose_name_plural = _("outages and closures")
        ordering = ["-starts_at"]
        indexes = [models.Index(fields=["ends_at"], name="printers_outage_ends")]
        constraints = [
            models.CheckConstraint(
                name="printers_outage_forward",
                condition=Q(ends_at__gt=F("starts_at")),
                violation_error_message=_("The end must come after the start."),
            ),
            models.CheckConstraint(
                name="printers_outage_of_one",
                condition=Q(printer__isnull=False, location__isnull=True)
                | Q(printer__isnull=True, location__isnull=False),
                violation_error_message=_("Choose either a machine or a location."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.printer or self.location}: {self.reason}"
