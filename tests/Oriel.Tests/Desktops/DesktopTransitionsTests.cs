using Oriel.Desktops.Lifecycle;

namespace Oriel.Tests.Desktops;

public sealed class DesktopTransitionsTests
{
    /// <summary>Every legal change; whatever is not here must be refused.</summary>
    private static readonly Dictionary<(DesktopState, DesktopVerb), DesktopState> Legal = new()
    {
        [(DesktopState.Creating, DesktopVerb.Boot)] = DesktopState.Booting,
        [(DesktopState.Creating, DesktopVerb.Fail)] = DesktopState.Failed,
        [(DesktopState.Creating, DesktopVerb.Destroy)] = DesktopState.Destroying,
        [(DesktopState.Booting, DesktopVerb.Configure)] = DesktopState.Configuring,
        [(DesktopState.Booting, DesktopVerb.Fail)] = DesktopState.Failed,
        [(DesktopState.Booting, DesktopVerb.Destroy)] = DesktopState.Destroying,
        [(DesktopState.Configuring, DesktopVerb.Prove)] = DesktopState.Ready,
        [(DesktopState.Configuring, DesktopVerb.Fail)] = DesktopState.Failed,
        [(DesktopState.Configuring, DesktopVerb.Destroy)] = DesktopState.Destroying,
        [(DesktopState.Ready, DesktopVerb.Pause)] = DesktopState.Paused,
        [(DesktopState.Ready, DesktopVerb.Fork)] = DesktopState.Ready,
        [(DesktopState.Ready, DesktopVerb.Fail)] = DesktopState.Failed,
        [(DesktopState.Ready, DesktopVerb.Destroy)] = DesktopState.Destroying,
        [(DesktopState.Paused, DesktopVerb.Resume)] = DesktopState.Ready,
        [(DesktopState.Paused, DesktopVerb.Fail)] = DesktopState.Failed,
        [(DesktopState.Paused, DesktopVerb.Destroy)] = DesktopState.Destroying,
        [(DesktopState.Failed, DesktopVerb.Remove)] = DesktopState.Destroyed,
        [(DesktopState.Destroying, DesktopVerb.Remove)] = DesktopState.Destroyed,
    };

    public static TheoryData<DesktopState, DesktopVerb> All()
    {
        var all = new TheoryData<DesktopState, DesktopVerb>();
        foreach (var state in Enum.GetValues<DesktopState>())
        {
            foreach (var verb in Enum.GetValues<DesktopVerb>())
            {
                all.Add(state, verb);
            }
        }

        return all;
    }

    [Theory]
    [MemberData(nameof(All))]
    public void TryNext_EveryStateAndVerb_IsAsTheTableSays(DesktopState from, DesktopVerb verb)
    {
        var legal = Legal.TryGetValue((from, verb), out var expected);

        Assert.Equal(legal, DesktopTransitions.TryNext(from, verb, out var to));
        Assert.Equal(legal ? expected : from, to);
    }

    [Fact]
    public void Message_IllegalVerb_NamesVerbAndState()
    {
        var result = new VerbResult(DesktopVerb.Pause, DesktopState.Creating, DesktopState.Creating, Accepted: false);

        Assert.Contains("pause", result.Message);
        Assert.Contains("creating", result.Message);
    }
}
