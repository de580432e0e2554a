"use strict";

// Passkeys and security keys: a form with data-passkey asks the browser for a credential and sends it. What to ask
// for stands in a JSON element of the page; at log-in it is fetched, since nobody has said yet who they are.
(() => {
  const isAddress = /^[\d.]+$|^\[/.test(location.hostname);
  const works = window.isSecureContext && "PublicKeyCredential" in window && !isAddress;

  const optionsOf = async (form) => {
    if (form.dataset.passkeyOptions) {
      return JSON.parse(document.getElementById(form.dataset.passkeyOptions).textContent);
    }
    const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };

  const ask = async (form) => {
    const options = await optionsOf(form);
    if (form.dataset.passkey !== "create") return window.webauthnJSON.get(options.request_options);
    const creation = options.creation_options;
    const alone = form.querySelector("[data-passkey-resident]").checked;
    const wanted = creation.publicKey.authenticatorSelection;
    wanted.residentKey = alone ? "required" : "discouraged";
    wanted.requireResidentKey = alone;
    if (alone) wanted.userVerification = "required";
    return window.webauthnJSON.create(creation);
  };

  document.querySelectorAll("form[data-passkey]").forEach((form) => {
    const button = form.querySelector("[data-passkey-start]");
    const failed = form.querySelector("[data-passkey-failed]");
    if (!works) {
      form.querySelector("[data-passkey-never]").hidden = false;
      return;
    }
    button.hidden = false;
    button.addEventListener("click", async () => {
      button.disabled = true;
      failed.hidden = true;
      try {
        form.elements.credential.value = JSON.stringify(await ask(form));
        form.submit();
      } catch {
        failed.hidden = false;
      } finally {
        button.disabled = false;
      }
    });
  });
})();
