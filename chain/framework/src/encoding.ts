/**
 * cosmjs-types 0.11 takes a fresh slab of 8 KiB for every message that it encodes (its `BinaryWriter.alloc` makes a pool
 * anew at each call): a store key of 30 bytes then holds 8 KiB in memory for as long as it lives. Here each message gets
 * just its own bytes. Imported once, by the application.
 */
import { BinaryWriter } from 'cosmjs-types/binary';

BinaryWriter.alloc = (size: number): Uint8Array => new Uint8Array(size);
