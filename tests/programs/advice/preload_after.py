# SPDX-License-Identifier: Apache-2.0
"""The same with the imports before the fork."""
import decimal
import email.message
import http.client
import xml.dom.minidom

from workers import run


def serve(number):
    return decimal, email, http, xml


if __name__ == "__main__":
    run(4, serve)
