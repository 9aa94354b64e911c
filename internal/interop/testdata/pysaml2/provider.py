"""pysaml2 as an identity provider: provider.py FOLDER ADDRESS PORT.

The folder holds key.pem, cert.pem, users.json and sp/*.xml.
"""

import html
import json
import logging
import sys
from functools import partial
from inspect import signature
from pathlib import Path
from urllib.parse import parse_qsl
from wsgiref.simple_server import make_server

import saml2.entity
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.authn_context import PASSWORDPROTECTEDTRANSPORT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAME_FORMAT_URI, NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server
from saml2.sigver import pre_encryption_part, verify_redirect_signature

FOLDER, ADDRESS, PORT = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
USERS = {user["name"]: user for user in json.loads((FOLDER / "users.json").read_text())}
# Versions before 7.1 look for every signature within the message, and none is there in a
# redirect: then it is only verified here.
VERIFIES_REDIRECTS = "sigalg" in signature(Server.parse_authn_request).parameters
SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
AES128_GCM = "http://www.w3.org/2009/xmlenc11#aes128-gcm"
DIGEST256 = "http://www.w3.org/2001/04/xmlenc#sha256"


def config(*service_providers):
    """The settings, with the metadata of the service providers that there are by now."""
    return IdPConfig().load(
        {
            "entityid": f"{ADDRESS}/metadata",
            "service": {
                "idp": {
                    "endpoints": {
                        "single_sign_on_service": [(f"{ADDRESS}/sso", BINDING_HTTP_REDIRECT)],
                        "single_logout_service": [(f"{ADDRESS}/slo", BINDING_HTTP_POST)],
                    },
                    "want_authn_requests_signed": VERIFIES_REDIRECTS,
                    "name_id_format": [NAMEID_FORMAT_PERSISTENT],
                    "policy": {"default": {"lifetime": {"minutes": 5}, "name_form": NAME_FORMAT_URI}},
                }
            },
            "key_file": str(FOLDER / "key.pem"),
            "cert_file": str(FOLDER / "cert.pem"),
            "encryption_keypairs": [{"key_file": str(FOLDER / "key.pem"), "cert_file": str(FOLDER / "cert.pem")}],
            "metadata": {"local": [str(file) for file in service_providers]},
            "xmlsec_binary": "/usr/bin/xmlsec1",
            "delete_tmpfiles": True,
        }
    )


def server(encryption=""):
    idp = Server(config=config(*sorted((FOLDER / "sp").glob("*.xml"))))
    if encryption.startswith("encrypted"):
        # Untold, pysaml2 encrypts by Triple DES, and it has no setting for that.
        saml2.entity.pre_encryption_part = partial(pre_encryption_part, msg_enc=AES128_GCM)
        idp.sec.encrypt_assertion = partial(idp.sec.encrypt_assertion, key_type="aes-128")
    else:
        saml2.entity.pre_encryption_part = pre_encryption_part
    return idp


def variant(entity_id):
    """The name of the file with the metadata of a service provider: how to answer it."""
    return next(file.stem for file in (FOLDER / "sp").glob("*.xml") if f'entityID="{entity_id}"' in file.read_text())


def name_id(user):
    return NameID(format=NAMEID_FORMAT_PERSISTENT, text=user["name"])


def login_form(url):
    return f"""<!DOCTYPE html><title>Sign in</title><form method="post" action="{html.escape(url)}">
<input name="username"><input name="password" type="password"><button>Sign in</button></form>"""


def authentic_request(idp, query):
    """The request of a redirect, whose signature is in the query, not in the message."""
    if VERIFIES_REDIRECTS:
        return idp.parse_authn_request(
            query["SAMLRequest"],
            BINDING_HTTP_REDIRECT,
            relay_state=query.get("RelayState"),
            sigalg=query.get("SigAlg"),
            signature=query.get("Signature"),
        )
    request = idp.parse_authn_request(query["SAMLRequest"], BINDING_HTTP_REDIRECT)
    certificates = idp.metadata.certs(request.message.issuer.text, "any", "signing")
    if not any(verify_redirect_signature(query, idp.sec.sec_backend, certificate) for certificate in certificates):
        raise ValueError("the request is not signed by the service provider")
    return request


def sign_in(query, user):
    idp = server()
    request = authentic_request(idp, query)
    arguments = idp.response_args(request.message, [BINDING_HTTP_POST])
    asked = variant(arguments["sp_entity_id"])
    encrypt = asked.startswith(("encrypted", "triple-des"))
    response = server(asked).create_authn_response(
        {
            "mail": [user["email"]],
            "givenName": [user["given_name"]],
            "sn": [user["family_name"]],
            "isMemberOf": user["groups"],
        },
        userid=user["name"],
        name_id=name_id(user),
        authn={"class_ref": PASSWORDPROTECTEDTRANSPORT, "authn_auth": ADDRESS},
        sign_assertion=True,
        sign_response=encrypt,
        encrypt_assertion=encrypt,
        encrypt_assertion_self_contained=encrypt,
        encrypted_advice_attributes=False,
        sign_alg=SHA256,
        digest_alg=DIGEST256,
        **arguments,
    )
    return post(idp, response, arguments["destination"], query.get("RelayState", ""), response=True)


def log_out(entity_id, user):
    """Ask a service provider to end the sessions of a user (HTTP-POST, signed)."""
    idp = server()
    _, destination = idp.pick_binding(
        "single_logout_service", [BINDING_HTTP_POST], "spsso", entity_id=entity_id
    )
    _, request = idp.create_logout_request(
        destination,
        issuer_entity_id=entity_id,
        name_id=name_id(user),
        sign=True,
        sign_alg=SHA256,
        digest_alg=DIGEST256,
    )
    return post(idp, request, destination, "", response=False)


def post(idp, message, destination, relay_state, response):
    return idp.apply_binding(BINDING_HTTP_POST, str(message), destination, relay_state, response=response)["data"]


def logout_answer(form):
    """Report whether the answer to a logout request was good."""
    answer = server().parse_logout_request_response(form["SAMLResponse"], BINDING_HTTP_POST)
    return "logged out" if answer and answer.status_ok() else "refused"


def application(environment, start_response):
    path, text = environment["PATH_INFO"], environment["QUERY_STRING"]
    query = dict(parse_qsl(text))
    body = environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0))
    form = dict(parse_qsl(body.decode()))
    status, kind = "200 OK", "text/html; charset=utf-8"
    try:
        user = USERS.get(form.get("username") or query.get("username"))
        known = user and user["password"] == (form.get("password") or query.get("password"))
        if path == "/metadata":
            answer, kind = str(entity_descriptor(config())), "application/samlmetadata+xml"
        elif path == "/sso":
            answer = sign_in(query, user) if known else login_form(f"{path}?{text}")
        elif path == "/logout" and known:
            answer = log_out(query["sp"], user)
        elif path == "/slo":
            answer, kind = logout_answer(form), "text/plain"
        else:
            answer, status = "not found", "404 Not Found"
    except Exception as error:  # the test reads it in the answer and in the log
        logging.exception("%s failed", path)
        answer, status, kind = repr(error), "400 Bad Request", "text/plain"
    start_response(status, [("Content-Type", kind)])
    return [answer.encode() if isinstance(answer, str) else "".join(answer).encode()]


make_server("127.0.0.1", PORT, application).serve_forever()
