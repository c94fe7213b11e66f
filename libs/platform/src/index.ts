export * from './bus';
export * from './embedded-bus';
