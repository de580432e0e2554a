"""Smart plugs: what people configure, what machines observe, and every command."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedTextField
from plugs.choices import CommandResult, Health

# After this many failures in a row a plug counts as dead.
DEAD_AFTER = 3
# A command with one of these results is still the plug's aim.
OPEN_RESULTS = [CommandResult.PENDING, CommandResult.HELD, CommandResult.FAILED]


class SmartPlug(models.Model):
    """A plug as people configure it. What machines write lives in :class:`PlugState`."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    driver = models.CharField(_("driver"), max_length=40, default="tapo")
    address = models.CharField(
        _("address"),
        max_length=255,
        unique=True,
        help_text=_("Host name or IP address, with “:port” if needed."),
    )
    username = models.CharField(_("user name of the plug's account"), max_length=255, blank=True)
    password = EncryptedTextField(_("password of the plug's account"), blank=True)

    class Meta:
        verbose_name = _("smart plug")
        verbose_name_plural = _("smart plugs")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PlugState(models.Model):
    """What is wanted of a plug and what it was seen doing; written by doors and the reconciler only."""

    plug = models.OneToOneField(SmartPlug, primary_key=True, on_delete=models.CASCADE, related_name="state")

    # desired
    wanted = models.BooleanField(_("wanted"), null=True, help_text=_("Empty: nobody decides, hands off."))
    wanted_reason = models.CharField(_("why"), max_length=40, blank=True)
    hold_above_w = models.FloatField(
        _("never cut above (W)"), null=True, help_text=_("Switching off waits while more than this is drawn.")
    )
    override_on = models.BooleanField(_("override"), null=True)
    override_until = models.DateTimeField(_("override until"), null=True)
    override_reason = models.CharField(_("reason of the override"), max_length=200, blank=True)
    override_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("override by"),
    )
    override_is_cut = models.BooleanField(_("cut even under load"), default=False)

    # observed
    observed = models.BooleanField(_("observed"), null=True)
    power_w = models.FloatField(_("draw (W)"), null=True)
    energy_today_wh = models.FloatField(_("energy today (Wh)"), null=True)
    energy_month_wh = models.FloatField(_("energy this month (Wh)"), null=True)
    energy_total_wh = models.FloatField(_("energy in all (Wh)"), null=True)
    on_seconds = models.PositiveIntegerField(_("on for (s)"), null=True)
    rssi = models.IntegerField(_("signal (dBm)"), null=True)
    device_id = models.CharField(_("identity"), max_length=100, blank=True)
    generation = models.CharField(_("protocol"), max_length=20, blank=True)
    firmware = models.CharField(_("firmware"), max_length=60, blank=True)
    last_contact_at = models.DateTimeField(_("last contact"), null=True)
    observed_changed_at = models.DateTimeField(_("state since"), null=True)

    # trouble
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    error_code = models.CharField(_("last fault"), max_length=40, blank=True)
    error_text = models.CharField(_("fault in words"), max_length=300, blank=True)
    error_at = models.DateTimeField(_("last fault at"), null=True)
    is_suspended = models.BooleanField(_("suspended"), default=False)

    # the reconciler's own bookkeeping
    kept_reading_at = models.DateTimeField(_("last reading kept at"), null=True)
    kept_reading_w = models.FloatField(_("last draw kept (W)"), null=True)
    next_poll_at = models.DateTimeField(_("next contact"), null=True)
    leased_until = models.DateTimeField(_("in hand until"), null=True)

    class Meta:
        verbose_name = _("state of a plug")
        verbose_name_plural = _("states of plugs")
        indexes = [
            models.Index(
                fields=["next_poll_at"],
                name="plugs_state_due",
                condition=models.Q(next_poll_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.plug_id)

    @property
    def health(self) -> Health:
        """How well we reach the plug."""
        if self.is_suspended:
            return Health.SUSPENDED
        if self.failures >= DEAD_AFTER:
            return Health.DEAD
        if self.failures:
            return Health.TROUBLE
        return Health.FINE if self.last_contact_at else Health.UNKNOWN

    @property
    def is_right(self) -> bool:
        """True when the plug does what is wanted of it."""
        return self.wanted is None or self.wanted == self.observed


class PlugCommand(models.Model):
    """One change that was wanted of a plug, and what became of it."""

    plug = models.ForeignKey(
        SmartPlug, on_delete=models.CASCADE, related_name="commands", verbose_name=_("plug")
    )
    on = models.BooleanField(_("on"))
    reason = models.CharField(_("why"), max_length=40)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("who"),
    )
    planned_at = models.DateTimeField(_("planned at"))
    created_at = models.DateTimeField(_("decided at"))
    sent_at = models.DateTimeField(
        _("sent at"), null=True, help_text=_("Empty when the plug was found as wanted already.")
    )
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    result = models.CharField(
        _("result"), max_length=20, choices=CommandResult, default=CommandResult.PENDING
    )
    error_code = models.CharField(_("fault"), max_length=40, blank=True)

    class Meta:
        verbose_name = _("switching command")
        verbose_name_plural = _("switching commands")
        indexes = [models.Index(fields=["plug", "-id"], name="plugs_command_plug")]
        constraints = [
            # A plug has one aim at a time; an older one is superseded by the door that sets a new one.
            models.UniqueConstraint(
                fields=["plug"],
                name="plugs_one_open_command",
                condition=models.Q(result__in=OPEN_RESULTS),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plug} {'on' if self.on else 'off'}"


class PlugReading(models.Model):
    """What a plug said at an instant; kept when it changed, and at least once a minute."""

    plug = models.ForeignKey(
        SmartPlug, on_delete=models.CASCADE, related_name="readings", verbose_name=_("plug")
    )
    at = models.DateTimeField(_("at"))
    on = models.BooleanField(_("on"))
    power_w = models.FloatField(_("draw (W)"), null=True)
    energy_today_wh = models.FloatField(_("energy today (Wh)"), null=True)
    energy_month_wh = models.FloatField(_("energy this month (Wh)"), null=True)

    class Meta:
        verbose_name = _("reading")
        verbose_name_plural = _("readings")
        indexes = [models.Index(fields=["plug", "-at"], name="plugs_reading_plug")]

    def __str__(self) -> str:
        return f"{self.plug_id} {self.at:%Y-%m-%d %H:%M:%S}"
