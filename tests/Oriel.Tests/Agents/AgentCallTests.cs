using Grpc.Core;
using Oriel.Agents;

namespace Oriel.Tests.Agents;

public sealed class AgentCallTests
{
    private readonly PauseClock _clock = new();
    private int _attempts;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private AgentRetry Retry => new(TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(300), _clock);

    [Fact]
    public async Task Call_BreaksAgainAndAgain_PausesGrowToTheLongest()
    {
        await RunAsync(_ => throw Unavailable(), _ => _attempts < 5);
        Assert.Equal([100, 200, 300, 300], _clock.Pauses);
    }

    [Fact]
    public async Task Call_WorkedBeforeItBroke_PausesBeginAnew()
    {
        await RunAsync(
            works =>
            {
                if (_attempts == 3)
                {
                    works();
                }

                throw Unavailable();
            },
            _ => _attempts < 5
        );
        Assert.Equal([100, 200, 100, 200], _clock.Pauses);
    }

    [Fact]
    public async Task Call_EndedByTheAgent_IsReportedWithoutAFault()
    {
        List<Exception?> faults = [];
        await RunAsync(
            _ => Task.CompletedTask,
            fault =>
            {
                faults.Add(fault);
                return faults.Count < 2;
            }
        );
        Assert.Equal([null, null], faults);
    }

    [Fact]
    public async Task Connection_CannotBeOpened_IsABreakToo()
    {
        Exception? seen = null;
        await AgentCall.RunAsync(
            _ => throw Unavailable(),
            Retry,
            (_, _, _) => Task.CompletedTask,
            fault =>
            {
                seen = fault;
                return false;
            },
            Token
        );
        Assert.Equal("Unavailable: gone", AgentCall.Describe(seen!));
    }

    [Fact]
    public async Task Fault_NotCovered_PassesToTheCaller()
    {
        await Assert.ThrowsAsync<InvalidDataException>(() => RunAsync(_ => throw new InvalidDataException(), _ => true));
        Assert.Equal(1, _attempts);
    }

    [Fact]
    public async Task Call_CancelledAndBroken_IsACancellation()
    {
        using var stop = new CancellationTokenSource();
        var asked = false;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            RunAsync(
                async _ =>
                {
                    await stop.CancelAsync();
                    throw new RpcException(new Status(StatusCode.Cancelled, ""));
                },
                _ => asked = true,
                stop.Token
            )
        );
        Assert.False(asked);
    }

    private static RpcException Unavailable() => new(new Status(StatusCode.Unavailable, "gone"));

    private Task RunAsync(Func<Action, Task> call, Func<Exception?, bool> goesOn, CancellationToken? stop = null) =>
        AgentCall.RunAsync(
            _ => ValueTask.FromResult<AgentConnection>(null!),
            Retry,
            (_, works, _) =>
            {
                _attempts++;
                return call(works);
            },
            goesOn,
            stop ?? Token
        );

    /// <summary>Each pause passes in no time, and is noted.</summary>
    private sealed class PauseClock : TimeProvider
    {
        /// <summary>In milliseconds.</summary>
        public List<double> Pauses { get; } = [];

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Pauses.Add(dueTime.TotalMilliseconds);
            return System.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }
}
