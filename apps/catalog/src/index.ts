export { readCatalogConfig, type CatalogConfig } from './config';
export { startCatalog, type RunningCatalog } from './start';
