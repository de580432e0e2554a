"""The look and the navigation of the admin, which is the trainers' console."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _may(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)


def _page(title: object, icon: str, view: str, permission: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{view}"),
        "permission": _may(permission),
    }


THEME: dict[str, Any] = {
    "SITE_SUBHEADER": _("Manage Your Printer"),
    "SITE_SYMBOL": "precision_manufacturing",
    "SITE_URL": "/",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("icons/favicon.svg")},
    ],
    "SHOW_HISTORY": True,
    "SHOW_LANGUAGES": True,
    "LANGUAGES": {"action": reverse_lazy("set_language")},
    "DASHBOARD_CALLBACK": "reservations.dashboard.dashboard",
    "STYLES": [lambda request: static("admin-myp/admin.css")],
    "BORDER_RADIUS": "8px",
    "COLORS": {
        "base": {
            "50": "#f8fafc", "100": "#f1f5f9", "200": "#e2e8f0", "300": "#cbd5e1", "400": "#a3b1c6", "500": "#64748b",
            "600": "#475569", "700": "#334155", "800": "#1e293b", "900": "#131c2e", "950": "#0b1220",
        },
        "primary": {
            "50": "#f0fdfa", "100": "#ccfbf1", "200": "#99f6e4", "300": "#5eead4", "400": "#2dd4bf", "500": "#2dd4bf",
            "600": "#0f766e", "700": "#115e59", "800": "#134e4a", "900": "#113b38", "950": "#042f2e",
        },
        "font": {"subtle-light": "#475569", "subtle-dark": "#a3b1c6"},
    },
    "SIDEBAR": {
        "show_search": False,
        "navigation": [
            {
                "title": _("Operation"),
                "items": [
                    {"title": _("Overview"), "icon": "dashboard", "link": reverse_lazy("admin:index")},
                    _page(_("Jobs"), "calendar_month", "reservations_job_changelist", "reservations.view_job"),
                    _page(_("Machines"), "precision_manufacturing", "printers_printer_changelist", "printers.view_printer"),
                    _page(_("Plugs"), "power", "plugs_smartplug_changelist", "plugs.view_smartplug"),
                    _page(_("Outages"), "event_busy", "printers_outage_changelist", "printers.view_outage"),
                    _page(_("Locations"), "location_on", "printers_location_changelist", "printers.view_location"),
                ],
            },
            {
                "title": _("People"),
                "items": [
                    _page(_("People"), "group", "accounts_user_changelist", "accounts.view_user"),
                    _page(_("Qualifications"), "school", "accounts_qualification_changelist", "accounts.view_qualification"),
                    _page(_("Granted qualifications"), "workspace_premium", "accounts_grant_changelist", "accounts.view_grant"),
                ],
            },
            {
                "title": _("Records"),
                "items": [
                    _page(_("Journal"), "history", "journal_entry_changelist", "journal.view_entry"),
                    _page(_("Lock-outs"), "lock", "accounts_loginguard_changelist", "accounts.view_loginguard"),
                    _page(_("Failed log-ins"), "gpp_bad", "axes_accessfailurelog_changelist", "axes.view_accessfailurelog"),
                    _page(_("Log-ins"), "login", "axes_accesslog_changelist", "axes.view_accesslog"),
                    _page(_("Switching commands"), "toggle_on", "plugs_plugcommand_changelist", "plugs.view_plugcommand"),
                    _page(_("Readings"), "electric_meter", "plugs_plugreading_changelist", "plugs.view_plugreading"),
                ],
            },
            {
                "title": _("System"),
                "items": [
                    _page(_("Booking limits"), "rule", "reservations_bookinglimits_changelist", "reservations.view_bookinglimits"),
                    _page(_("Display"), "tv", "kiosk_display_changelist", "kiosk.view_display"),
                    _page(_("Scheduler"), "schedule", "core_schedulerstate_changelist", "core.view_schedulerstate"),
                    _page(_("Periodic tasks"), "autorenew", "core_periodictask_changelist", "core.view_periodictask"),
                    _page(_("Signs of life"), "monitor_heart", "core_heartbeat_changelist", "core.view_heartbeat"),
                ],
            },
        ],
    },
}  # fmt: skip
