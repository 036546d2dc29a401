using Oriel.Agents;
using Oriel.Linux.Files;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Node;

/// <summary>How this node keeps desktops.</summary>
public sealed class DesktopOptions
{
    /// <summary>Its paths are absolute.</summary>
    public required DataLayout Layout { get; init; }

    public DesktopDriver Driver { get; init; } = DesktopDriver.Container;

    /// <summary>Most desktops at the same time; those that failed or are ending do not count.</summary>
    public int MaxDesktops { get; init; } = 8;

    /// <summary>
    /// Most desktops that start at the same time, so that many requests are served one after the other instead of all too late.
    /// </summary>
    public int MaxConcurrentBoots { get; init; } = Math.Max(2, Environment.ProcessorCount);

    public DesktopDeadlines Deadlines { get; init; } = new();

    /// <summary>How long a destroyed desktop stays in the list of all.</summary>
    public TimeSpan KeepDestroyed { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How long the keeper has for an orderly end before it is killed.</summary>
    public TimeSpan StopDeadline { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Of a step that reads or writes so much to this host's disk, on top of what it takes anyway.</summary>
    /// <param name="step">One of <see cref="Deadlines"/>, which are scaled already, or what a step takes of hardware.</param>
    public TimeSpan DeadlineFor(TimeSpan step, long bytes) => step + (SlowDisk.TimeFor(bytes) * Math.Max(1, Driver.TimeScale));
}

/// <summary>Deadlines of the steps of a creation, each from the step's begin; generous enough for a loaded machine of two cores.</summary>
public sealed record DesktopDeadlines
{
    /// <summary>From the keeper's start until its guest runs.</summary>
    public TimeSpan Keeper { get; init; } = TimeSpan.FromSeconds(60);

    public TimeSpan Agent { get; init; } = TimeSpan.FromSeconds(60);

    public TimeSpan Configure { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Until the session's environment, the files and the canary are proven.</summary>
    public TimeSpan Attest { get; init; } = TimeSpan.FromSeconds(90);

    public TimeSpan TerminalWindow { get; init; } = TimeSpan.FromSeconds(90);

    public TimeSpan BrowserWindow { get; init; } = TimeSpan.FromSeconds(120);

    public TimeSpan FirstFrame { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a new server waits for the agent of a desktop that it adopts.</summary>
    public TimeSpan Adopt { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>For what is asked of an agent beside those steps.</summary>
    public AgentPatience Patience { get; init; } = new();

    /// <summary>For guests that are so many times slower.</summary>
    public DesktopDeadlines Scaled(double factor) =>
        new()
        {
            Keeper = Keeper * factor,
            Agent = Agent * factor,
            Configure = Configure * factor,
            Attest = Attest * factor,
            TerminalWindow = TerminalWindow * factor,
            BrowserWindow = BrowserWindow * factor,
            FirstFrame = FirstFrame * factor,
            Adopt = Adopt * factor,
            Patience = Patience.Scaled(factor),
        };
}
