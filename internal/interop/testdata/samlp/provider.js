// An identity provider of the npm package samlp, as node-based services run it:
// node provider.js FOLDER ADDRESS PORT. The folder holds key.pem, cert.pem, users.json and sp/*.xml.
'use strict';

const fs = require('fs');
const http = require('http');
const path = require('path');
const samlp = require('samlp');
const { DOMParser } = require('@auth0/xmldom');

const [folder, address, port] = process.argv.slice(2);
const issuer = `${address}/metadata`;
const read = (name) => fs.readFileSync(path.join(folder, name), 'utf8');
const key = read('key.pem');
const cert = read('cert.pem');
const users = JSON.parse(read('users.json'));

const METADATA = 'urn:oasis:names:tc:SAML:2.0:metadata';
const SIGNATURE = 'http://www.w3.org/2000/09/xmldsig#';
const POST = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST';
const CLAIMS = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/';

const pem = (text) => `-----BEGIN CERTIFICATE-----\n${text.replace(/\s/g, '').match(/.{1,64}/g).join('\n')}\n-----END CERTIFICATE-----\n`;

// What the metadata of a service provider says, by its entity id.
function serviceProvider(entityID) {
  for (const file of fs.readdirSync(path.join(folder, 'sp'))) {
    const root = new DOMParser().parseFromString(read(`sp/${file}`)).documentElement;
    if (root.getAttribute('entityID') !== entityID) continue;
    const sp = { entityID, encrypt: file.startsWith('encrypted') };
    for (const k of Array.from(root.getElementsByTagNameNS(METADATA, 'KeyDescriptor'))) {
      sp[k.getAttribute('use')] ??= pem(k.getElementsByTagNameNS(SIGNATURE, 'X509Certificate')[0].textContent);
    }
    for (const acs of Array.from(root.getElementsByTagNameNS(METADATA, 'AssertionConsumerService'))) {
      if (acs.getAttribute('Binding') === POST) sp.acs = acs.getAttribute('Location');
    }
    return sp;
  }
  return undefined;
}

// The claims that ADFS and Auth0 send.
function mapper(user) {
  return {
    getNameIdentifier: () => ({ nameIdentifier: user.name, nameIdentifierFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent' }),
    getClaims: () => ({
      [`${CLAIMS}emailaddress`]: user.email,
      [`${CLAIMS}givenname`]: user.given_name,
      [`${CLAIMS}surname`]: user.family_name,
      'http://schemas.xmlsoap.org/claims/Group': user.groups,
    }),
  };
}
mapper.prototype.metadata = [];

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function loginForm(response, url) {
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
  response.end(`<!DOCTYPE html><title>Sign in</title><form method="post" action="${escape(url)}">
<input name="username"><input name="password" type="password"><button>Sign in</button></form>`);
}

// What samlp expects of Express.
function asExpress(request, response, url, form) {
  request.query = Object.fromEntries(url.searchParams);
  request.originalUrl = request.url;
  request.protocol = 'http';
  request.user = users.find((u) => u.name === form.get('username') && u.password === form.get('password'));
  response.set = response.setHeader.bind(response);
  response.send = (body) => {
    if (typeof body === 'number') {
      response.statusCode = body;
      body = '';
    }
    response.end(body);
  };
}

function fail(response, error) {
  console.error(error);
  response.writeHead(400, { 'Content-Type': 'text/plain' });
  response.end(String(error));
}

function signIn(request, response) {
  samlp.parseRequest(request, {}, (error, asked) => {
    const sp = asked && serviceProvider(asked.issuer);
    if (error || !sp) return fail(response, error || new Error('unknown service provider'));
    return samlp.auth({
      issuer,
      key,
      cert,
      signingCert: sp.signing, // refuses a request that is not signed
      audience: sp.entityID,
      recipient: sp.acs,
      destination: sp.acs,
      profileMapper: mapper,
      lifetimeInSeconds: 300,
      signResponse: sp.encrypt, // an encrypted assertion is signed inside and outside
      encryptionCert: sp.encrypt ? sp.encryption : undefined,
      encryptionPublicKey: sp.encrypt ? sp.encryption : undefined,
      sessionIndex: `_${Math.random().toString(16).slice(2)}`,
      getPostURL: (audience, dom, req, callback) => callback(null, sp.acs),
    })(request, response, (failed) => fail(response, failed));
  });
}

http.createServer((request, response) => {
  const url = new URL(request.url, address);
  let text = '';
  request.on('data', (chunk) => { text += chunk; });
  request.on('end', () => {
    asExpress(request, response, url, new URLSearchParams(text));
    if (url.pathname === '/metadata') {
      samlp.metadata({
        issuer, cert, profileMapper: mapper, redirectEndpointPath: '/sso', postEndpointPath: '/sso',
      })(request, response);
    } else if (url.pathname !== '/sso') {
      response.writeHead(404);
      response.end();
    } else if (!request.user) {
      loginForm(response, request.url);
    } else {
      request.method = 'GET'; // the SAML request came by redirect, the password by POST
      signIn(request, response);
    }
  });
}).listen(port, '127.0.0.1');
