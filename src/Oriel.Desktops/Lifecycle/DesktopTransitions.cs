using System.Collections.Frozen;

namespace Oriel.Desktops.Lifecycle;

/// <summary>The one transition table of a desktop.</summary>
public static class DesktopTransitions
{
    private static readonly FrozenDictionary<(DesktopState, DesktopVerb), DesktopState> Table = Build();

    /// <summary>
    /// False when <paramref name="verb"/> is illegal in <paramref name="from"/>; <paramref name="to"/> is then <paramref name="from"/>.
    /// </summary>
    public static bool TryNext(DesktopState from, DesktopVerb verb, out DesktopState to)
    {
        if (Table.TryGetValue((from, verb), out to))
        {
            return true;
        }

        to = from;
        return false;
    }

    /// <summary>True while the desktop holds resources of the host.</summary>
    public static bool IsLive(DesktopState state) => state is not DesktopState.Destroyed;

    /// <summary>True until the desktop was ready for the first time, or is ending.</summary>
    public static bool IsBeingCreated(DesktopState state) =>
        state is DesktopState.Creating or DesktopState.Booting or DesktopState.Configuring;

    /// <summary>True while the desktop counts against the most that may exist at the same time.</summary>
    public static bool Counts(DesktopState state) =>
        state is not (DesktopState.Failed or DesktopState.Destroying or DesktopState.Destroyed);

    private static FrozenDictionary<(DesktopState, DesktopVerb), DesktopState> Build()
    {
        var table = new Dictionary<(DesktopState, DesktopVerb), DesktopState>
        {
            [(DesktopState.Creating, DesktopVerb.Boot)] = DesktopState.Booting,
            [(DesktopState.Booting, DesktopVerb.Configure)] = DesktopState.Configuring,
            [(DesktopState.Configuring, DesktopVerb.Prove)] = DesktopState.Ready,
            [(DesktopState.Ready, DesktopVerb.Pause)] = DesktopState.Paused,
            [(DesktopState.Paused, DesktopVerb.Resume)] = DesktopState.Ready,
            [(DesktopState.Ready, DesktopVerb.Fork)] = DesktopState.Ready,
            [(DesktopState.Failed, DesktopVerb.Remove)] = DesktopState.Destroyed,
            [(DesktopState.Destroying, DesktopVerb.Remove)] = DesktopState.Destroyed,
        };
        foreach (
            var state in (DesktopState[])
                [DesktopState.Creating, DesktopState.Booting, DesktopState.Configuring, DesktopState.Ready, DesktopState.Paused]
        )
        {
            table[(state, DesktopVerb.Fail)] = DesktopState.Failed;
            table[(state, DesktopVerb.Destroy)] = DesktopState.Destroying;
        }

        return table.ToFrozenDictionary();
    }
}

/// <summary>What became of a verb: done, illegal in the state that the desktop was in, or legal and failed.</summary>
/// <param name="Problem">Why it failed; null otherwise.</param>
public readonly record struct VerbResult(DesktopVerb Verb, DesktopState Was, DesktopState Is, bool Accepted, string? Problem = null)
{
    public string Message =>
        Accepted ? $"{Verb.ToString().ToLowerInvariant()}: {Was.Name()} -> {Is.Name()}"
        : Problem is not null ? $"'{Verb.ToString().ToLowerInvariant()}' failed: {Problem}."
        : $"'{Verb.ToString().ToLowerInvariant()}' is not possible while a desktop is {Was.Name()}.";
}

public static class DesktopStateNames
{
    /// <summary>The name in lower case, as it stands in the API.</summary>
    public static string Name(this DesktopState state) =>
        state switch
        {
            DesktopState.Creating => "creating",
            DesktopState.Booting => "booting",
            DesktopState.Configuring => "configuring",
            DesktopState.Ready => "ready",
            DesktopState.Paused => "paused",
            DesktopState.Failed => "failed",
            DesktopState.Destroying => "destroying",
            DesktopState.Destroyed => "destroyed",
            _ => throw new ArgumentOutOfRangeException(nameof(state)),
        };
}
