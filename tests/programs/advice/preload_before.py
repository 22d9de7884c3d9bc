# SPDX-License-Identifier: Apache-2.0
"""Workers that each import what they need when they need it."""
from workers import run


def serve(number):
    import decimal
    import email.message
    import http.client
    import xml.dom.minidom
    return decimal, email, http, xml


if __name__ == "__main__":
    run(4, serve)
