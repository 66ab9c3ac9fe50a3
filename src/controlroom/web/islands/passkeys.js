// Passkeys: asks the browser for one, or to make one, and sends what it gives with an ordinary form.

function bytes(text) {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function text(buffer) {
  const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

const withBytes = (list) => (list ?? []).map((each) => ({ ...each, id: bytes(each.id) }));

// The form that WebAuthn Level 3 gives `PublicKeyCredential.toJSON()`, which not every browser has.
function asJson(credential) {
  const given = credential.response;
  const response = { clientDataJSON: text(given.clientDataJSON) };
  if (given.attestationObject) {
    response.attestationObject = text(given.attestationObject);
    response.transports = given.getTransports?.() ?? [];
  } else {
    response.authenticatorData = text(given.authenticatorData);
    response.signature = text(given.signature);
    if (given.userHandle) response.userHandle = text(given.userHandle);
  }
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    response,
  });
}

async function use(options) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: withBytes(options.allowCredentials),
  };
  return navigator.credentials.get({ publicKey });
}

async function make(options) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: withBytes(options.excludeCredentials),
  };
  return navigator.credentials.create({ publicKey });
}

async function offer() {
  const token = document.querySelector("meta[name=csrf-token]").content;
  const answer = await fetch("/api/v1/me/second-factors/passkey", {
    method: "POST",
    headers: { "X-CSRF-Token": token },
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail);
  return told;
}

function why(error) {
  if (error.name === "NotAllowedError") return "No passkey was used: it was cancelled, or took too long.";
  if (error.name === "InvalidStateError") return "This passkey is enrolled already.";
  if (error.name === "SecurityError")
    return "Browsers keep passkeys for names that are reached by https, or for localhost.";
  return error.message;
}

function onSubmit(form, obtain) {
  form.addEventListener("submit", async (event) => {
    if (form.elements.credential.value) return;
    event.preventDefault();
    const problem = form.querySelector("[data-passkey-problem]");
    problem.textContent = "";
    if (!window.PublicKeyCredential) {
      problem.textContent = "This browser has no passkeys, or the page was not reached by https.";
      return;
    }
    try {
      form.elements.credential.value = asJson(await obtain());
      form.submit();
    } catch (error) {
      problem.textContent = why(error);
    }
  });
}

export function startPasskeys() {
  for (const form of document.querySelectorAll("form[data-passkey-use]")) {
    onSubmit(form, () => use(JSON.parse(form.dataset.passkeyUse)));
  }
  for (const form of document.querySelectorAll("form[data-passkey-make]")) {
    onSubmit(form, async () => {
      const told = await offer();
      form.elements.token.value = told.token;
      return make(told.options);
    });
  }
}
