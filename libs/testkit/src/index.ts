export * from './shared-data';
export * from './test-database';
export * from './fake-vendor/fake-vendor';
export type { OpenAiUsage, UsagePlace } from './fake-vendor/openai-chat';
export * from './fake-disk';
export * from './redis-server';
export * from './factories';
export * from './test-runtime';
export * from './free-ports';
