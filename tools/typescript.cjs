// Lets Node run the TypeScript of this clone as it is: `node -r ./tools/typescript.cjs file.ts`
'use strict';
const { readFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const { transformSync } = require('@swc/core');

const root = dirname(__dirname);
const options = { cwd: root, root, configFile: join(root, '.swcrc'), jsc: { baseUrl: root }, sourceMaps: 'inline' };

require.extensions['.ts'] = (module, filename) => {
  const { code } = transformSync(readFileSync(filename, 'utf8'), { ...options, filename });
  module._compile(code, filename);
};
