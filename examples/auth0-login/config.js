// The only file to change for an identity provider of your own.
//
// A real Auth0 tenant looks like this (docs/auth0-login.md has every step):
//
//   providerUrl: "https://YOUR_TENANT.eu.auth0.com",
//   clientId: "YOUR_CLIENT_ID",

export const config = {
  // Where `/authorize` is found. This one is the stand-in for development that
  // the server itself offers: it believes whatever name it is told.
  providerUrl: `${location.origin}/dev/idp`,

  // The application as the provider knows it.
  clientId: "auth0-login-example",

  // Where `/api/execute` is found.
  serverUrl: location.origin,
};
