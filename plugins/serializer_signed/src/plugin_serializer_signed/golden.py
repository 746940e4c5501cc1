"""Messages of released versions, for the conformance suite."""

VALUE = [[1, "\u00fc", -0.5], {"a": None}, {"chain": []}]

AUTH_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIICsDCCAZigAwIBAgIUcmklzjYcAZl7B94VNUWGZyqR/HQwDQYJKoZIhvcNAQEL
BQAwETEPMA0GA1UEAwwGZ29sZGVuMCAXDTI2MTEyMDEzNDAyOVoYDzIxMjYxMDI4
MTM0MDI5WjARMQ8wDQYDVQQDDAZnb2xkZW4wggEiMA0GCSqGSIb3DQEBAQUAA4IB
DwAwggEKAoIBAQCy3ceAfwqpOscD7kl65qmE9J+tMm/oDdXE8DNcpuf3TDzMSUTL
n4zUeUGlsFo5NVz1VyZo5DnG0hfq+z1UDvPU0rSzZ6PLDB/rxosYIU+amz4ZCXWB
3IbbbIewJMr2FjXqjd0m9AwWt5rPdobmt0iGe1oHOsummEadHIhfCzfQsqlfQXRI
pj4Re51jlJ89zW3kBomXjNFFFaxDZpOknovO6+Y9QgNB1VdbA+BJN1fUB08pCfNm
bE//g5gNS/3AzmibPBEDXd4KEMMO9GxMWmeJip+UBbI8JsPERjAbDkZlmtPguYnP
8LSTAkLBxC/Sxwr4mdoZavEp60T2e/Nk9liFAgMBAAEwDQYJKoZIhvcNAQELBQAD
ggEBAAlsmoRQiNi5k5wFbiSjyYteQhE5XeXxdRVRg5skz56qY7aF5RXezFuDgeGF
b8d00yUWZ5hAOu5kt+ARGJTe4yYbpm4rqcywaW6aiv7aq1pxDi4x3Z4QSoUMraL8
JWUL5GZKh3vWA/94s1ULuzwztf8STX3yx5tlmgRZ3Zzzc7M2vcU9gc/BKvMrPiIG
L3ReG2u+1y90UF9VkbJY/FM1101/ofeCgly2kFdClfpvW8XA4xCbk9L9koatbKmT
T93xciCqkjmERgoTIV6Lybb35Zqxk10bV7g+uD7d3g+aPCZ/j+/baKqUiAygOqMD
wLAzmopqXvuTHgRwu3WjS4Ob2CA=
-----END CERTIFICATE-----
"""
"""Valid for a hundred years; its key is nowhere."""

AUTH_MESSAGE = (
    b"WjI5c1pHVnVJRFkxTXpFMk9UZ3hPVFEwTkRRek5ESXhNRFUyTVRjd09ERXhPVEV4Tmprd09USTROakl4TkRnd09UVTBPVGswTUE9"
    b"PQABaWJzTUE3SnVTcU9JTlFyQUJmMWZoYmoxUmxvLzdmYUgyTEFJSURUMmlPMWZrRmRLdUxUeEZXTXJYQ3BtRW82KzlPdW1YN3oz"
    b"TlMzalE2c2tRaXE1YWRPZFJOZGdVakIzQVhFbDNrdE9yaXVFbDlrd28relZCdmQ1anZZMzk2SkM5Q2YyNVIxN3ZVbGxwWkFaRzkv"
    b"aTdSWlJWeG13bmdSWDhORFNPZ3RsR3dqTEUvMlpaWFlQbTZ1UysrQW9yUjZrQjdrazhacWE2VFgzck80cWd6M0E0MVpvN1ZVWUhW"
    b"NFJpV1VQdkoyV1JDNHhKSjQrYnE1U2dHL3pNOFIrY1JkVzh4NG1wVzJXaytET2Q2Nm9NcTFDVzJWTHErSHNRQUp0QkpQWnQ1ZUp3"
    b"RDBCWHJRamlLeS9aMHh2SEJvcHpUbG5Rb2hXNGcvLytWRHFSZzZUcFM5c2lnPT0AAWFwcGxpY2F0aW9uL2pzb24AAXV0Zi04AAFb"
    b"WzEsICJcdTAwZmMiLCAtMC41XSwgeyJhIjogbnVsbH0sIHsiY2hhaW4iOiBbXX1d"
)

SIGNED_MESSAGE = (
    b"kSg1\x072026-11\x10application/json\x00\x00\x01\xa1\xfd\xc3W\x80\xfe\xa6@"
    b'\xbd\xc3\xb5\xf1\x06\xc5\xa6Z\xc3H\x1a\xcc\xad\xc9,9O\xd6GUG\xd76\x0b\xde\xc5\xda\x1cV[[1, "\\u00f'
    b'c", -0.5], {"a": null}, {"chain": []}]'
)

ENCRYPTED_MESSAGE = (
    b"kSe1\x03old\x10application/json\x00\x00\x01\xa1\xfd\xc3W\x80#\x97\xf2\x9f\xbb\xd7\x8d"
    b"IL'v]]\x90\xefI\xd8C\xb3\xc2Q\xe9\x98*\"\x96sr=\x08\x10L9\xf6ZTgT\x00\x01/@\xf1\x17\xdfP\xeb"
    b"\xd5}\xbb\xb8>w\x9c@1\x92\xaf.\xceL\x98\xc2\xb3bX\x02\x03\x0b\xe5,\x1b\xf6aEU\xf0GZC\x17*e\x1e\x07\xad\x06"
    b"k\xd8\x8f\x1a\x06\x89"
)
