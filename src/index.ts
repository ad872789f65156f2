// The library's front door: everything the command line does, typed.
export type { Archive, ImageSelector } from './archive/archive.ts';
export { type ImageName, parseImageSource } from './archive/image-name.ts';
export { openArchive, openOciLayout } from './archive/open.ts';
export type { SweepOptions, Swept } from './blobstore/gc.ts';
export { listImages, type StoredImage } from './blobstore/images.ts';
export { type BlobStore, type OpenStoreOptions, openStore } from './blobstore/store.ts';
export { type PulledFiles, type PullFilesOptions, pullFiles } from './client/artifact-pull.ts';
export { type PushedFiles, type PushFilesOptions, pushFiles } from './client/artifact-push.ts';
export { type AttachedArtifact, type AttachOptions, attach } from './client/attach.ts';
export type { AttachedStatement, ImageAttestation } from './client/attestations.ts';
export { type Client, type ClientOptions, createClient } from './client/client.ts';
export {
  type ContainerStatus,
  containers,
  kill,
  type ListedContainer,
  removeOne as removeContainer,
  stop,
  wait,
} from './client/containers.ts';
export { type CopyImageOptions, copyImage } from './client/copy-image.ts';
export { type CopiedFiles, type CpOptions, cp } from './client/cp.ts';
export { type DiffOptions, diff, type ImageDiff } from './client/diff.ts';
export { digest, manifest, type RawDocument, rawConfig } from './client/documents.ts';
export { type ExecOptions, exec } from './client/exec.ts';
export {
  type ExportedImage,
  type ExportFormat,
  type ExportOptions,
  type ExportStream,
  exportFormatOf,
  exportImage,
  exportStream,
} from './client/export.ts';
export { type GcOptions, gc } from './client/gc.ts';
export { type ImageInfo, type InspectOptions, inspect } from './client/inspect.ts';
export type { StartedContainer } from './client/launch.ts';
export {
  type ImageLayers,
  type ImageWaste,
  type LayerInfo,
  type LayersOptions,
  layers,
} from './client/layers.ts';
export { type LoadOptions, load } from './client/load.ts';
export { type LogOptions, logs } from './client/logs.ts';
export { createNetwork, listNetworks, removeNetworks } from './client/networks.ts';
export { type OpenedImage, openImage } from './client/open-image.ts';
export { type LocalImage, openLayers } from './client/open-layers.ts';
export { type OpenedTree, openTree } from './client/open-tree.ts';
export { type PulledImage, type PullOptions, pull } from './client/pull.ts';
export { type PullThroughOptions, pullThrough } from './client/pull-through.ts';
export { push } from './client/push.ts';
export { type ImageReferrers, type ReferrersListOptions, referrers } from './client/referrers.ts';
export { remove } from './client/remove.ts';
export { type RunOptions, run } from './client/run.ts';
export type { PullPolicy } from './client/run-image.ts';
export { save } from './client/save.ts';
export type { SignerOptions } from './client/signers.ts';
export { type SyncOptions, type SyncResult, sync } from './client/sync.ts';
export type { SyncEntry } from './client/sync-file.ts';
export { type TaggedImage, tag, untag } from './client/tag.ts';
export { type TagsOptions, tags } from './client/tags.ts';
export type { CopiedImage, PlatformOptions, TransferOptions } from './client/transfer.ts';
export { type UnpackedImage, type UnpackOptions, unpack } from './client/unpack.ts';
export { type Rule, verifyingClient } from './client/verified-repository.ts';
export { type VerifiedImage, type VerifyOptions, verify, verifyRule } from './client/verify.ts';
export { type WhyAnswer, type WhyStep, why } from './client/why.ts';
export {
  type Copier,
  type CopierOptions,
  type CopyOptions,
  type CopyResult,
  createCopier,
} from './copy/copier.ts';
export type { Selection } from './copy/graph.ts';
export { type ErrorCode, isOciError, OciError } from './errors.ts';
export { type ImageConfig, parseConfig } from './manifest/config.ts';
export type { Descriptor, Platform } from './manifest/descriptor.ts';
export {
  type ImageIndex,
  type ImageManifest,
  type ManifestDocument,
  parseDocument,
} from './manifest/document.ts';
export { formatPlatform, hostPlatform, parsePlatform } from './manifest/platform.ts';
export { selectPlatform } from './manifest/platform-match.ts';
export type {
  BlobLocation,
  ImageSource,
  ImageTarget,
  Ingest,
  Listing,
  LocalBlobs,
  ReferrersOptions,
  Referring,
} from './place/place.ts';
export type { LongOptions, OnProgress, ProgressEvent } from './place/progress.ts';
export { readDocument } from './place/read-document.ts';
export { type Digest, digestOf, parseDigest } from './reference/digest.ts';
export { familiarReference, formatReference, parseReference, type Reference } from './reference/reference.ts';
export { type Credential, type CredentialSource, fileCredentials } from './registry/credentials.ts';
export { createRateLimiter, type RateLimiter } from './registry/rate-limiter.ts';
export { openRepository, type Repository } from './registry/repository.ts';
export type { RegistriesOptions } from './registry/route.ts';
export { createTransport, type Transport, type TransportOptions } from './registry/transport.ts';
export { copyOut, copyOutTar } from './rootfs/copy-out.ts';
export { type DiffEntry, type DiffSide, diffTrees, type TreeDiff } from './rootfs/diff.ts';
export { exportTree } from './rootfs/export.ts';
export { type LayerFilesReport, readLayerFiles } from './rootfs/layer-files.ts';
export type { LayerSource, LayerStats } from './rootfs/layer-source.ts';
export { listTree, lookUp, readFile } from './rootfs/look.ts';
export { readTree } from './rootfs/read-tree.ts';
export { type Trace, type TraceStep, tracePath } from './rootfs/trace.ts';
export type { Tree, TreeNode } from './rootfs/tree.ts';
export { unpack as unpackLayers } from './rootfs/unpack.ts';
export type { ExitStatus, Protection } from './runner/driver.ts';
export type { NetworkInfo } from './runner/network/manage.ts';
export type { NewNetwork } from './runner/network/new-network.ts';
export type { MountRequest, PortRequest, RunRequest } from './runner/spec/run-request.ts';
export { type ServeOptions, type StoreServer, serveStore } from './serve/serve.ts';
export type { Upstream } from './serve/upstream.ts';
export type { RefusedSignature, Signer, ValidSignature } from './verify/signature.ts';
