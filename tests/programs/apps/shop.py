# SPDX-License-Identifier: Apache-2.0
"""A WSGI application that answers from a table which is loaded at its import."""
import os

PRODUCTS = [{"id": number, "name": f"product {number}", "price": number * 1.19, "tags": ["new", "sale"]} for number in range(30_000)]


def app(environ, start_response):
    number = int(environ["PATH_INFO"].rsplit("/", 1)[1])
    product = PRODUCTS[number % len(PRODUCTS)]
    offers = [{"rank": rank, "product": product} for rank in range(20_000)]  # objects of a request, gone with it
    body = f"{os.getpid()} {product['name']} {len(offers)}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
