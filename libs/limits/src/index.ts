export * from './limiter';
