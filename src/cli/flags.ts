// The flags every command has, and the IMAGE argument most of them take.
import { Args, Flags } from '@oclif/core';
import { OciError } from '../errors.ts';
import { parseBytes } from '../ui/format.ts';
import { PROGRESS_MODES } from '../ui/reporter.ts';

/** A flag for bytes: `10GB`, `512MB`, `1GiB`, `4096`. */
const sizeFlag = Flags.custom<number>({
  helpValue: 'SIZE',
  parse: async (text, _context, { name }) => {
    const bytes = parseBytes(text);
    if (bytes !== undefined) return bytes;
    throw new OciError('USAGE', `--${name} ${text}: not a size`, {
      hint: 'write it as 10GB, 512MB, 1GiB or a number of bytes',
    });
  },
});

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export const globalFlags = {
  store: Flags.directory({
    helpGroup: 'GLOBAL',
    helpValue: 'DIR',
    env: 'OCITOOL_STORE',
    summary: 'The blob store. Default: $XDG_DATA_HOME/ocitool',
  }),
  platform: Flags.string({
    helpGroup: 'GLOBAL',
    helpValue: 'OS/ARCH[/VARIANT]',
    summary: 'The platform to choose from a multi-platform image. Default: this machine',
  }),
  json: Flags.boolean({ helpGroup: 'GLOBAL', summary: 'Print the answer as JSON on stdout' }),
  progress: Flags.option({ options: PROGRESS_MODES })({
    helpGroup: 'GLOBAL',
    default: 'auto',
    summary: 'How to tell progress on stderr',
  }),
  quiet: Flags.boolean({ char: 'q', helpGroup: 'GLOBAL', summary: 'No progress and no warnings' }),
  'log-level': Flags.option({ options: LOG_LEVELS })({
    helpGroup: 'GLOBAL',
    default: 'warn',
    summary: 'debug adds stack traces to errors and shows each request',
  }),
  'plain-http': Flags.boolean({ helpGroup: 'GLOBAL', summary: 'Talk plain HTTP to the registry' }),
  insecure: Flags.boolean({ helpGroup: 'GLOBAL', summary: "Do not verify the registry's TLS certificate" }),
  ca: Flags.file({
    helpGroup: 'GLOBAL',
    helpValue: 'FILE',
    summary: 'Trust these CA certificates (PEM) too',
  }),
  cert: Flags.file({
    helpGroup: 'GLOBAL',
    helpValue: 'FILE',
    dependsOn: ['key'],
    summary: 'Client certificate (PEM)',
  }),
  key: Flags.file({
    helpGroup: 'GLOBAL',
    helpValue: 'FILE',
    dependsOn: ['cert'],
    summary: 'Key of the client certificate (PEM)',
  }),
  authfile: Flags.file({
    helpGroup: 'GLOBAL',
    helpValue: 'FILE',
    summary: "Read credentials from this file (docker's config.json or podman's auth.json form)",
  }),
  policy: Flags.file({
    helpGroup: 'GLOBAL',
    helpValue: 'FILE',
    env: 'OCITOOL_POLICY',
    summary: 'A policy.json that images have to fulfil to be read from a registry. Default: none',
  }),
  timeout: Flags.integer({
    helpGroup: 'GLOBAL',
    helpValue: 'SECONDS',
    min: 1,
    summary: 'Give up on a registry that says nothing for this long. Default: 60',
  }),
};

/** What an image may ask of this machine: for every command that reads layers. */
export const limitFlags = {
  'max-bytes': sizeFlag({ summary: 'Refuse an image that unpacks to more. Default: 128GiB' }),
  'max-entries': Flags.integer({
    helpValue: 'N',
    min: 1,
    summary: 'Refuse an image with more tar entries. Default: 4000000',
  }),
};

/** For every command that moves blobs over a network. */
export const networkFlags = {
  'limit-rate': sizeFlag({
    helpValue: 'RATE',
    summary: 'Bytes per second over the network, both directions together, such as 5MB',
  }),
};

const ROOTLESS_MODES = ['auto', 'userns', 'record', 'off'] as const;
export type RootlessMode = (typeof ROOTLESS_MODES)[number];

/** How a user who is not root gets owners right, for commands that unpack. */
export const rootlessFlag = Flags.option({
  options: ROOTLESS_MODES,
  summary:
    'Owners without root: subordinate ids, a record of them, whichever can be had, or neither. Default: auto',
});

/** `IMAGE` as the command contract defines it. */
export const imageArg = Args.string({
  name: 'IMAGE',
  required: true,
  description:
    'NAME[:TAG][@DIGEST], docker://NAME, oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]',
});
