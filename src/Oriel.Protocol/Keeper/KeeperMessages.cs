using System.Text.Json.Serialization;

namespace Oriel.Protocol.Keeper;

/// <summary>One line of JSON on <c>keeper.sock</c>, keeper to server.</summary>
[JsonConverter(typeof(KeeperMessageConverter))]
public abstract record KeeperMessage;

/// <summary>
/// Something that happened. On each connection those so far are sent again, then each as it happens; of the console the last lines, of
/// <see cref="MachineReport"/> the last one, and no <see cref="KeeperCounters"/>.
/// </summary>
/// <param name="AtUs">Microseconds since 1970, UTC.</param>
public abstract record KeeperEvent(long AtUs) : KeeperMessage;

/// <summary>A step of the start began or ended.</summary>
/// <param name="Name">One of <see cref="StepNames.OfKeeper"/>.</param>
/// <param name="ElapsedUs">Microseconds; 0 while it runs.</param>
/// <param name="Detail">A word on what was made, or why it failed.</param>
public sealed record KeeperStep(long AtUs, string Name, KeeperStepState State, long ElapsedUs = 0, string? Detail = null)
    : KeeperEvent(AtUs);

public enum KeeperStepState
{
    Running,
    Done,
    Failed,
}

/// <summary>The guest was started: agent.sock answers.</summary>
public sealed record GuestRunning(long AtUs) : KeeperEvent(AtUs);

/// <summary>What the guest's machine, or container, does now.</summary>
public sealed record MachineReport(long AtUs, MachineState State) : KeeperEvent(AtUs);

public enum MachineState
{
    Running,

    /// <summary>By a command.</summary>
    Paused,

    /// <summary>This host's disk takes no more of what it writes; it continues by itself.</summary>
    Halted,

    /// <summary>Its memory is a snapshot's now: it does not run again.</summary>
    Saved,
}

/// <param name="Line">One line of the guest's console.</param>
public sealed record ConsoleLine(long AtUs, string Line) : KeeperEvent(AtUs);

/// <param name="Values">Counts since the start, such as of dropped packets, by name.</param>
public sealed record KeeperCounters(long AtUs, IReadOnlyDictionary<string, long> Values) : KeeperEvent(AtUs);

/// <summary>The last event; also in the bundle, as <c>exit.json</c>.</summary>
/// <param name="Reason">One of <see cref="ReasonCodes"/>.</param>
public sealed record KeeperExit(long AtUs, string Reason, string? Detail = null) : KeeperEvent(AtUs);

/// <summary>The answer to one command, to whoever sent it; what the command changed was reported before, by an event.</summary>
/// <param name="Id">Of the command.</param>
/// <param name="Problem">Why it was not done; null = it was.</param>
public sealed record KeeperReply(long Id, string? Problem = null) : KeeperMessage;

/// <summary>One line of JSON on <c>keeper.sock</c>, server to keeper; each is answered by a <see cref="KeeperReply"/>.</summary>
/// <param name="Id">The connection's own; a number that it has not used yet.</param>
[JsonConverter(typeof(KeeperCommandConverter))]
public abstract record KeeperCommand(long Id);

/// <summary>
/// Asks the guest to end, and kills it at the deadline. Answered immediately; the end is reported by <see cref="KeeperExit"/>.
/// </summary>
/// <param name="DeadlineMs">Milliseconds; 0 = the keeper's own.</param>
public sealed record StopGuest(long Id, int DeadlineMs = 0) : KeeperCommand(Id);

public sealed record PauseGuest(long Id) : KeeperCommand(Id);

public sealed record ResumeGuest(long Id) : KeeperCommand(Id);

/// <summary>Makes the snapshot for which the machine was started; it stays paused for good.</summary>
public sealed record SaveGuest(long Id) : KeeperCommand(Id);

/// <summary>Copies the machine, which continues.</summary>
/// <param name="Directory">Absolute and empty: gets <c>state</c>, <c>scratch</c> and, where the state is without it, <c>memory</c>.</param>
public sealed record ForkGuest(long Id, string Directory) : KeeperCommand(Id);

/// <summary>Requests <see cref="KeeperCounters"/>.</summary>
public sealed record ReadCounters(long Id) : KeeperCommand(Id);

/// <summary>What lacks a field, or has one of another kind, is refused.</summary>
[JsonSerializable(typeof(KeeperMessage))]
[JsonSerializable(typeof(KeeperCommand))]
public sealed partial class KeeperMessageContext : JsonSerializerContext;
