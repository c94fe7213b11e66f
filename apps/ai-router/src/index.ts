export { startAiRouter, type RunningAiRouter } from './ai-router';
export { readAiRouterConfig, type AiRouterConfig } from './config';
