# SPDX-License-Identifier: Apache-2.0
wsgi_app = "shop:app"
preload_app = True
workers = 3
