"""Asks the SciTokens library for Python what a token permits: ISSUER AUDIENCE OPERATION PATH, the token on standard input.

It finds the issuer's keys by discovery and verifies the signature. Exit status: 0 permitted, 1 refused, 2 no good token, 3 not understood.
"""

import sys

import scitokens

issuer, audience, operation, path = sys.argv[1:]
try:
    # "insecure" lets an issuer be on this machine; keys are fetched by TLS and signatures checked all the same.
    token = scitokens.SciToken.deserialize(sys.stdin.read().strip(), insecure=True)
except Exception as error:
    print(f"no good token: {error!r}")
    sys.exit(2)
enforcer = scitokens.Enforcer(issuer, audience=audience)
# Claims of the WLCG profile, which this library has no opinion of; everything else it judges itself.
enforcer.add_validator("wlcg.ver", lambda version: version == "1.0")
for claim in ("wlcg.groups", "client_id", "kumi_account", "kumi_grant", "auth_time", "act"):
    enforcer.add_validator(claim, lambda _value: True)
permitted = enforcer.test(token, operation, path)
print(f"{operation} {path} with {token['scope']}: {'permitted' if permitted else enforcer.last_failure}")
if not permitted and "No validator" in str(enforcer.last_failure):
    sys.exit(3)
sys.exit(0 if permitted else 1)
