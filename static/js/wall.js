"use strict";

// The clock of the display: the server's time, whatever the display's own clock says, and it goes on without it.
(() => {
  const face = document.getElementById("clock");
  const time = new Intl.DateTimeFormat("de-DE", {
    hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: face.dataset.zone,
  });
  let ahead = Number(face.dataset.now) - Date.now();

  const tick = () => {
    const said = time.format(Date.now() + ahead);
    if (face.textContent !== said) face.textContent = said;
  };

  document.body.addEventListener("htmx:afterRequest", (event) => {
    const now = event.detail.successful && event.detail.xhr.getResponseHeader("X-Now");
    if (now) ahead = Number(now) - Date.now();
  });

  window.setInterval(tick, 1000);
})();
