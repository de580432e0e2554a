"""The page of the workshop's display."""

from django.urls import path

from kiosk import views

urlpatterns = [
    path("kiosk", views.wall_page, name="kiosk"),
    path("kiosk/_live", views.wall_live, name="kiosk_live"),
]
