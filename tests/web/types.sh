#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the types of src/report/web, which the bundler takes as they are. Usage: types.sh CACHE (build/web, with the packages)
set -eu
web=$(cd -- "$(dirname -- "$0")/../../src/report/web" && pwd -P)
sh "$web/build.sh" "$1"
cd -- "$1"
cat >tsconfig.json <<END
{
  "extends": "$web/tsconfig.json",
  "compilerOptions": {"paths": {"*": ["$PWD/node_modules/@types/*", "$PWD/node_modules/*"]}, "typeRoots": ["$PWD/node_modules/@types"]},
  "include": ["$web/src"]
}
END
exec node node_modules/typescript/bin/tsc -p tsconfig.json
