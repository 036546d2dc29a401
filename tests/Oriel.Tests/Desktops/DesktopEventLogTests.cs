using Oriel.Desktops.Events;
using Oriel.Desktops.Lifecycle;

namespace Oriel.Tests.Desktops;

public sealed class DesktopEventLogTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task ReadAsync_FromTheStart_ReplaysThenFollowsAndEnds()
    {
        var log = new DesktopEventLog(TimeProvider.System);
        log.Publish("state", new StateEvent(DesktopState.Creating, null));
        var reading = ReadAsync(log, after: 0);
        log.Publish("log", new LogEvent("hello"));
        log.Publish("end", new EndEvent());

        Assert.Equal(["1 state", "2 log", "3 end"], await reading);
    }

    [Fact]
    public async Task ReadAsync_AfterAnId_LeavesOutWhatWasSeen()
    {
        var log = new DesktopEventLog(TimeProvider.System);
        log.Publish("log", new LogEvent("1"));
        log.Publish("log", new LogEvent("2"));
        log.Publish("end", new EndEvent());

        Assert.Equal(["2 log", "3 end"], await ReadAsync(log, after: 1));
    }

    [Fact]
    public async Task ReadAsync_AfterAnIdThatWasNeverGiven_ReplaysAll()
    {
        var log = new DesktopEventLog(TimeProvider.System);
        log.Publish("end", new EndEvent());

        Assert.Equal(["1 end"], await ReadAsync(log, after: 99));
    }

    [Fact]
    public async Task Publish_ManyLogLines_KeepsTheStoryOfTheCreation()
    {
        var log = new DesktopEventLog(TimeProvider.System);
        log.Publish("state", new StateEvent(DesktopState.Creating, null));
        for (var i = 0; i < 5000; i++)
        {
            log.Publish("log", new LogEvent($"{i}"));
        }

        log.Publish("end", new EndEvent());
        var events = await ReadAsync(log, after: 0);

        Assert.Equal("1 state", events[0]);
        Assert.Equal(DesktopEventLog.KeptOtherEvents + 2, events.Count);
        Assert.Equal(["4998", "4999"], log.LastLog(2));
    }

    [Fact]
    public async Task Restore_OfAnEndedDesktop_EndsAtOnceAndCountsOn()
    {
        var log = new DesktopEventLog(TimeProvider.System, firstSequence: 1000);
        log.Restore([new DesktopEvent(7, "end", DateTimeOffset.UnixEpoch, new EndEvent())]);

        Assert.Equal(["7 end"], await ReadAsync(log, after: 0));
        Assert.Equal(1000, log.NextSequence);
    }

    private static async Task<List<string>> ReadAsync(DesktopEventLog log, long after)
    {
        var read = new List<string>();
        await foreach (var item in log.ReadAsync(after, Token))
        {
            read.Add($"{item.Sequence} {item.Type}");
        }

        return read;
    }
}
