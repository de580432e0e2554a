"""Words of libraries whose German is not ours: named here, our catalogue goes before theirs.

Some say "du" to people, some use another word than all our pages ("Sichern" for "Speichern").
"""

from django.utils.translation import gettext_noop as _

PAGES = (
    _("access failure"),
    _("access failures"),
    _("access log"),
    _("access logs"),
    _("An account already exists with this email address. Please sign in to that account first, then connect your %s account."),
    _("Be patient, you are sending too many requests."),
    _("Enter a valid email address."),
    _("Enter a valid URL."),
    _("Please type your current password."),
    _("Save and add another"),
    _("Save and continue editing"),
    _("Too many failed login attempts. Try again later."),
    _("Upload a valid image. The file you uploaded was either not an image or a corrupted image."),
    _("Use authenticator app or code"),
    _("Use your password"),
    _("You must type the same password each time."),
    _("Your account has no password set up."),
    _("Your account has no verified email address."),
)  # fmt: skip
API = (
    _("Date has wrong format. Use one of these formats instead: {format}."),
    _("Datetime has wrong format. Use one of these formats instead: {format}."),
    _("Ensure that there are no more than {max_decimal_places} decimal places."),
    _("Ensure that there are no more than {max_digits} digits in total."),
    _("Ensure that there are no more than {max_whole_digits} digits before the decimal point."),
    _("Ensure this field has at least {min_length} characters."),
    _("Ensure this field has no more than {max_length} characters."),
    _("Ensure this filename has at most {max_length} characters (it has {length})."),
    _("Ensure this value is greater than or equal to {min_value}."),
    _("Ensure this value is less than or equal to {max_value}."),
    _("The submitted data was not a file. Check the encoding type on the form."),
    _("Time has wrong format. Use one of these formats instead: {format}."),
)
