using Oriel.Desktops.Lifecycle;
using Oriel.Egress.Log;

namespace Oriel.Desktops.Events;

/// <summary>One thing that happened to a desktop, as the event stream shows it.</summary>
/// <param name="Sequence">Counts up within a desktop, also over restarts of the server; may skip.</param>
/// <param name="Type"><c>state</c>, <c>step</c>, <c>log</c>, <c>egress</c>, <c>viewers</c>, <c>warnings</c> or <c>end</c>.</param>
public sealed record DesktopEvent(long Sequence, string Type, DateTimeOffset At, DesktopEventData Data);

/// <summary>What an event carries; one type for each <see cref="DesktopEvent.Type"/>.</summary>
public abstract record DesktopEventData;

public sealed record StateEvent(DesktopState State, DesktopReason? Reason) : DesktopEventData;

public sealed record StepEvent(string Name, StepState State, double ElapsedMs, string? Detail) : DesktopEventData;

public sealed record LogEvent(string Line) : DesktopEventData;

public sealed record ViewersEvent(int Count) : DesktopEventData;

/// <summary>All that there are now.</summary>
public sealed record WarningsEvent(IReadOnlyList<DesktopWarning> Warnings) : DesktopEventData;

/// <summary>An entry of the egress log, as the egress wrote it.</summary>
public sealed record EgressEvent(EgressEntry Entry) : DesktopEventData;

/// <summary>Nothing follows.</summary>
public sealed record EndEvent : DesktopEventData;
