// An OpenID Connect provider for the tests: node-oidc-provider, with people from a file that is read at each log-in.
//
//   node provider.mjs PORT PEOPLE.json REDIRECT_URI     (oidc-provider is looked for in MYP_OIDC_MODULES)

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [port, people, redirectUri] = process.argv.slice(2);
const require = createRequire(`${process.env.MYP_OIDC_MODULES}/`);
const { Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));

const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "myp",
      client_secret: "only-for-tests",
      redirect_uris: [redirectUri],
      token_endpoint_auth_method: "client_secret_post",
    },
  ],
  claims: {
    openid: ["sub"],
    profile: ["preferred_username", "given_name", "family_name", "groups", "realm_access"],
    email: ["email", "email_verified"],
  },
  cookies: { keys: ["only-for-tests"] },
  pkce: { required: () => true },
  findAccount(context, sub) {
    const claims = JSON.parse(readFileSync(people, "utf8"))[sub];
    return claims && { accountId: sub, claims: () => ({ sub, ...claims }) };
  },
  // Nobody is asked whether the workshop may know them.
  async loadExistingGrant(context) {
    const grant = new context.oidc.provider.Grant({
      clientId: context.oidc.client.clientId,
      accountId: context.oidc.session.accountId,
    });
    grant.addOIDCScope("openid profile email");
    await grant.save();
    return grant;
  },
});

provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
