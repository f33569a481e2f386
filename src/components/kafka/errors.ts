import type { ErrorCode } from "../../errors/code.ts";
import { PubSubError } from "../../pubsub/error.ts";

/** Kafka's own numbers, those that decisions are made by. */
export const KAFKA = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  storageError: 56,
  messageTooLarge: 10,
  invalidRecord: 87,
  metadataTooLarge: 12,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  recordListTooLarge: 18,
  illegalGeneration: 22,
  inconsistentProtocol: 23,
  unknownMember: 25,
  rebalanceInProgress: 27,
  topicAlreadyExists: 36,
  nonEmptyGroup: 68,
  groupNotFound: 69,
  memberIdRequired: 79,
  fencedInstance: 82,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  groupSubscribed: 86,
  unknownTopicId: 100,
  inconsistentTopicId: 103,
} as const;

interface Meaning {
  readonly name: string;
  readonly code: ErrorCode;
  readonly permanent?: true;
  /** It may have been done all the same. */
  readonly unknown?: true;
}

const MEANINGS: Readonly<Record<number, Meaning>> = {
  [-1]: { name: "UNKNOWN_SERVER_ERROR", code: "unavailable", unknown: true },
  1: { name: "OFFSET_OUT_OF_RANGE", code: "failed_precondition" },
  2: { name: "CORRUPT_MESSAGE", code: "internal" },
  3: { name: "UNKNOWN_TOPIC_OR_PARTITION", code: "not_found" },
  5: { name: "LEADER_NOT_AVAILABLE", code: "unavailable" },
  6: { name: "NOT_LEADER_OR_FOLLOWER", code: "unavailable" },
  7: { name: "REQUEST_TIMED_OUT", code: "unavailable", unknown: true },
  8: { name: "BROKER_NOT_AVAILABLE", code: "unavailable" },
  9: { name: "REPLICA_NOT_AVAILABLE", code: "unavailable" },
  10: { name: "MESSAGE_TOO_LARGE", code: "resource_exhausted", permanent: true },
  12: { name: "OFFSET_METADATA_TOO_LARGE", code: "resource_exhausted" },
  14: { name: "COORDINATOR_LOAD_IN_PROGRESS", code: "unavailable" },
  15: { name: "COORDINATOR_NOT_AVAILABLE", code: "unavailable" },
  16: { name: "NOT_COORDINATOR", code: "unavailable" },
  17: { name: "INVALID_TOPIC_EXCEPTION", code: "invalid_argument", permanent: true },
  18: { name: "RECORD_LIST_TOO_LARGE", code: "resource_exhausted", permanent: true },
  19: { name: "NOT_ENOUGH_REPLICAS", code: "unavailable" },
  20: { name: "NOT_ENOUGH_REPLICAS_AFTER_APPEND", code: "unavailable", unknown: true },
  22: { name: "ILLEGAL_GENERATION", code: "failed_precondition" },
  23: { name: "INCONSISTENT_GROUP_PROTOCOL", code: "failed_precondition" },
  24: { name: "INVALID_GROUP_ID", code: "invalid_argument", permanent: true },
  25: { name: "UNKNOWN_MEMBER_ID", code: "failed_precondition" },
  26: { name: "INVALID_SESSION_TIMEOUT", code: "invalid_argument", permanent: true },
  27: { name: "REBALANCE_IN_PROGRESS", code: "unavailable" },
  29: { name: "TOPIC_AUTHORIZATION_FAILED", code: "permission_denied", permanent: true },
  30: { name: "GROUP_AUTHORIZATION_FAILED", code: "permission_denied", permanent: true },
  31: { name: "CLUSTER_AUTHORIZATION_FAILED", code: "permission_denied", permanent: true },
  32: { name: "INVALID_TIMESTAMP", code: "failed_precondition", permanent: true },
  35: { name: "UNSUPPORTED_VERSION", code: "unimplemented", permanent: true },
  36: { name: "TOPIC_ALREADY_EXISTS", code: "already_exists" },
  37: { name: "INVALID_PARTITIONS", code: "invalid_argument", permanent: true },
  38: { name: "INVALID_REPLICATION_FACTOR", code: "invalid_argument", permanent: true },
  41: { name: "NOT_CONTROLLER", code: "unavailable" },
  44: { name: "POLICY_VIOLATION", code: "failed_precondition", permanent: true },
  56: { name: "KAFKA_STORAGE_ERROR", code: "unavailable" },
  58: { name: "SASL_AUTHENTICATION_FAILED", code: "unauthenticated" },
  68: { name: "NON_EMPTY_GROUP", code: "failed_precondition" },
  69: { name: "GROUP_ID_NOT_FOUND", code: "not_found" },
  74: { name: "FENCED_LEADER_EPOCH", code: "unavailable" },
  75: { name: "UNKNOWN_LEADER_EPOCH", code: "unavailable" },
  76: { name: "UNSUPPORTED_COMPRESSION_TYPE", code: "unimplemented", permanent: true },
  79: { name: "MEMBER_ID_REQUIRED", code: "failed_precondition" },
  81: { name: "GROUP_MAX_SIZE_REACHED", code: "resource_exhausted" },
  82: { name: "FENCED_INSTANCE_ID", code: "failed_precondition" },
  86: { name: "GROUP_SUBSCRIBED_TO_TOPIC", code: "failed_precondition" },
  87: { name: "INVALID_RECORD", code: "invalid_argument", permanent: true },
  100: { name: "UNKNOWN_TOPIC_ID", code: "not_found" },
  103: { name: "INCONSISTENT_TOPIC_ID", code: "not_found" },
};

/** An error that the broker answered. Decisions are made by its number, never by its text. */
export class AnsweredError extends PubSubError {
  readonly number: number;

  constructor(doing: string, number: number, said?: string, unknown = false) {
    const meaning = MEANINGS[number] ?? { name: `error ${number}`, code: "internal" as const };
    super(meaning.code, `${doing}: ${meaning.name}${said ? ` (${said})` : ""}`, {
      permanent: meaning.permanent ?? false,
      outcome: meaning.unknown || unknown ? "unknown" : "rejected",
    });
    this.number = number;
  }
}

/** The error of a number, if it is one. */
export function answered(doing: string, number: number, said?: string): AnsweredError | undefined {
  return number === KAFKA.none ? undefined : new AnsweredError(doing, number, said);
}

/** A leader that lost its place while it waited for the replicas says so, and the new one may have what was appended. */
const MAYBE_STORED: ReadonlySet<number> = new Set([KAFKA.unknownTopicOrPartition, KAFKA.notLeader, KAFKA.storageError]);

/** The error of a number that a Produce was answered with, if it is one. */
export function producedError(doing: string, number: number, said?: string): AnsweredError | undefined {
  return number === KAFKA.none ? undefined : new AnsweredError(doing, number, said, MAYBE_STORED.has(number));
}

/** Throws the error of a number, if it is one. */
export function ensureNone(doing: string, number: number, said?: string): void {
  const error = answered(doing, number, said);
  if (error) throw error;
}

export function numberOf(error: unknown): number | undefined {
  return error instanceof AnsweredError ? error.number : undefined;
}

const ELSEWHERE: ReadonlySet<number | undefined> = new Set<number>([
  KAFKA.unknownTopicOrPartition,
  KAFKA.leaderNotAvailable,
  KAFKA.notLeader,
  KAFKA.fencedLeaderEpoch,
  KAFKA.unknownLeaderEpoch,
  KAFKA.unknownTopicId,
  KAFKA.inconsistentTopicId,
  // It leads no more once the controller has heard of its disk.
  KAFKA.storageError,
]);

/** What we know of topics and their leaders is old. */
export function livesElsewhere(error: unknown): boolean {
  return ELSEWHERE.has(numberOf(error));
}

const COORDINATOR: ReadonlySet<number | undefined> = new Set<number>([KAFKA.coordinatorNotAvailable, KAFKA.notCoordinator]);

/** The group is led by another broker now. */
export function coordinatedElsewhere(error: unknown): boolean {
  return COORDINATOR.has(numberOf(error));
}

const OUT: ReadonlySet<number | undefined> = new Set<number>([KAFKA.unknownMember, KAFKA.illegalGeneration, KAFKA.fencedInstance]);

/** The group goes on without us. */
export function isOut(error: unknown): boolean {
  return OUT.has(numberOf(error));
}

export const closedError = (): PubSubError => new PubSubError("unavailable", "the component is closed", { permanent: true });
