export * from './facts';
export * from './trail';
