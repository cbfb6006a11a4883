// Made by `npm run generate` from the .proto files. Do not edit.
export * from './generated/mu/deployment/v1/genesis.ts';
export * from './generated/mu/deployment/v1/query.ts';
export * from './generated/mu/deployment/v1/tx.ts';
export * from './generated/mu/deployment/v1/types.ts';
