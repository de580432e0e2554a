"""The trainees' pages."""

from django.urls import path

from reservations.views import jobs, machines

urlpatterns = [
    path("", machines.overview, name="overview"),
    path("_machines", machines.live_machines, name="live_machines"),
    path("printers/<int:pk>", machines.printer, name="printer"),
    path("printers/<int:pk>/book", machines.book, name="book"),
    path("jobs", jobs.jobs, name="jobs"),
    path("jobs/<int:pk>", jobs.job, name="job"),
    path("jobs/<int:pk>/extend", jobs.extend, name="job_extend"),
    path("jobs/<int:pk>/<str:verb>", jobs.act, name="job_act"),
]
