// An identity provider of the npm package samlify, with its own template of a response,
// which has no AuthnStatement: node provider.js FOLDER ADDRESS PORT. The folder holds key.pem,
// cert.pem, users.json and sp/*.xml.
'use strict';

const fs = require('fs');
const http = require('http');
const path = require('path');
const samlify = require('samlify');

const [folder, address, port] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(folder, name), 'utf8');
const users = JSON.parse(read('users.json'));

const REDIRECT = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';
const PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';
const BASIC = 'urn:oasis:names:tc:SAML:2.0:attrname-format:basic';

samlify.setSchemaValidator({ validate: async () => 'not validated' });

function provider(encrypt, attributes) {
  return samlify.IdentityProvider({
    entityID: `${address}/metadata`,
    signingCert: read('cert.pem'),
    privateKey: read('key.pem'),
    requestSignatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    wantAuthnRequestsSigned: true,
    nameIDFormat: [PERSISTENT],
    singleSignOnService: [{ Binding: REDIRECT, Location: `${address}/sso` }],
    isAssertionEncrypted: encrypt,
    dataEncryptionAlgorithm: 'http://www.w3.org/2001/04/xmlenc#aes256-cbc',
    keyEncryptionAlgorithm: 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p',
    loginResponseTemplate: { context: samlify.SamlLib.defaultLoginResponseTemplate.context, attributes },
  });
}

function serviceProvider(query) {
  const request = samlify.Utility.inflateString(query.SAMLRequest);
  for (const file of fs.readdirSync(path.join(folder, 'sp'))) {
    const sp = samlify.ServiceProvider({ metadata: read(`sp/${file}`) });
    if (request.includes(`>${sp.entityMeta.getEntityID()}<`)) return { sp, encrypt: file.startsWith('encrypted') };
  }
  throw new Error('unknown service provider');
}

// One Attribute element for each value, as samlify writes them.
function attributesOf(user) {
  const one = (name, valueTag) => ({ name, valueTag, nameFormat: BASIC, valueXsiType: 'xs:string' });
  return {
    attributes: [one('email', 'email'), one('firstName', 'given'), one('lastName', 'family'),
      ...user.groups.map((_, i) => one('groups', `group${i}`))],
    values: {
      attrEmail: user.email,
      attrGiven: user.given_name,
      attrFamily: user.family_name,
      ...Object.fromEntries(user.groups.map((group, i) => [`attrGroup${i}`, group])),
    },
  };
}

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const page = (body) => `<!DOCTYPE html><title>Sign in</title>${body}`;

const loginForm = (url) => page(`<form method="post" action="${escape(url)}">
<input name="username"><input name="password" type="password"><button>Sign in</button></form>`);

const autoPost = (url, fields) => page(`<form method="post" action="${escape(url)}">${Object.entries(fields)
  .map(([name, value]) => `<input type="hidden" name="${name}" value="${escape(value)}">`).join('')}<button>Continue</button></form>`);

async function signIn(url, user) {
  const query = Object.fromEntries(url.searchParams);
  const { sp, encrypt } = serviceProvider(query);
  // The signature is over the query as it was sent (SAML bindings, 3.4.4.1).
  const raw = Object.fromEntries(url.search.slice(1).split('&').map((pair) => [pair.split('=')[0], pair]));
  const octetString = [raw.SAMLRequest, raw.RelayState, raw.SigAlg].filter(Boolean).join('&');
  const { attributes, values } = attributesOf(user);
  const idp = provider(encrypt, attributes);
  const asked = await idp.parseLoginRequest(sp, 'redirect', { query, octetString });
  const now = new Date();
  const soon = new Date(now.getTime() + 300000).toISOString();
  const acs = sp.entityMeta.getAssertionConsumerService('post');
  const id = `_${crypto.randomUUID()}`;
  const { context } = await idp.createLoginResponse(sp, asked, 'post', user, {
    // Our metadata leaves it open what is signed, and then samlify signs the response; by
    // default before it encrypts the assertion, which nobody could verify.
    encryptThenSign: encrypt,
    customTagReplacement: (template) => ({
      id,
      context: samlify.SamlLib.replaceTagsByValue(template, {
        ID: id,
        AssertionID: `_${crypto.randomUUID()}`,
        Destination: acs,
        SubjectRecipient: acs,
        Audience: sp.entityMeta.getEntityID(),
        Issuer: idp.entityMeta.getEntityID(),
        IssueInstant: now.toISOString(),
        StatusCode: 'urn:oasis:names:tc:SAML:2.0:status:Success',
        ConditionsNotBefore: now.toISOString(),
        ConditionsNotOnOrAfter: soon,
        SubjectConfirmationDataNotOnOrAfter: soon,
        NameIDFormat: PERSISTENT,
        NameID: user.name,
        InResponseTo: asked.extract.request.id,
        AuthnStatement: '',
        ...values,
      }),
    }),
  });
  return autoPost(acs, { SAMLResponse: context, RelayState: query.RelayState });
}

http.createServer((request, response) => {
  const url = new URL(request.url, address);
  let text = '';
  request.on('data', (chunk) => { text += chunk; });
  request.on('end', async () => {
    const form = new URLSearchParams(text);
    const user = users.find((u) => u.name === form.get('username') && u.password === form.get('password'));
    try {
      if (url.pathname === '/metadata') {
        response.setHeader('Content-Type', 'application/samlmetadata+xml');
        response.end(provider(false, []).getMetadata());
      } else if (url.pathname === '/sso') {
        const body = user ? await signIn(url, user) : loginForm(request.url);
        response.setHeader('Content-Type', 'text/html; charset=utf-8');
        response.end(body);
      } else {
        response.writeHead(404);
        response.end();
      }
    } catch (error) {
      console.error(error);
      response.writeHead(400, { 'Content-Type': 'text/plain' });
      response.end(String(error));
    }
  });
}).listen(port, '127.0.0.1');
