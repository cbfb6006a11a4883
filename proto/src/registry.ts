import { createFileRegistry, type FileRegistry, fromBinary } from '@bufbuild/protobuf';
import { base64Decode } from '@bufbuild/protobuf/wire';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { fileDescriptorSet } from './generated/descriptors.ts';

/**
 * Descriptors of every .proto file the chain knows: Mu's own, the standard Cosmos and CometBFT ones, and all they import.
 * Look up a type by its full name, for example `registry.getMessage('mu.market.v1.MsgSubmitLease')`.
 */
export const registry: FileRegistry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, base64Decode(fileDescriptorSet)),
);
