using System.Text.Json;
using Oriel.Protocol.Keeper;

namespace Oriel.Tests.Keeper;

public sealed class KeeperMessageTests
{
    private static readonly KeeperMessage[] Messages =
    [
        new KeeperStep(1, "network", KeeperStepState.Running),
        new KeeperStep(1, "network", KeeperStepState.Done, 5, "a \"link\"\u00e9"),
        new KeeperStep(1, "network", KeeperStepState.Failed, 5),
        new GuestRunning(2),
        new MachineReport(3, MachineState.Running),
        new MachineReport(3, MachineState.Paused),
        new MachineReport(3, MachineState.Halted),
        new MachineReport(3, MachineState.Saved),
        new ConsoleLine(4, "hello"),
        new KeeperCounters(5, new Dictionary<string, long> { ["dropped-udp"] = 17, ["opened"] = long.MaxValue }),
        new KeeperExit(6, "oom"),
        new KeeperExit(6, "oom", "memory"),
        new KeeperReply(7),
        new KeeperReply(7, "the disk is full"),
    ];

    private static readonly KeeperCommand[] Commands =
    [
        new StopGuest(1),
        new StopGuest(1, 2000),
        new PauseGuest(2),
        new ResumeGuest(3),
        new SaveGuest(4),
        new ForkGuest(5, "/a/b"),
        new ReadCounters(long.MaxValue),
    ];

    [Fact]
    public void Message_EachKind_ComesBackTheSame()
    {
        foreach (var message in Messages)
        {
            var text = JsonSerializer.Serialize(message, KeeperMessageContext.Default.KeeperMessage);
            var back = JsonSerializer.Deserialize(text, KeeperMessageContext.Default.KeeperMessage)!;
            Assert.StartsWith("{\"type\":", text);
            Assert.Equal(message.GetType(), back.GetType());
            Assert.Equal(text, JsonSerializer.Serialize(back, KeeperMessageContext.Default.KeeperMessage));
            Assert.True(message is KeeperCounters || message.Equals(back), text);
        }

        Assert.Equal(KindsOf<KeeperMessage>(), Messages.Select(message => message.GetType().Name).Distinct().Order());
    }

    [Fact]
    public void Command_EachKind_ComesBackTheSame()
    {
        foreach (var command in Commands)
        {
            var text = JsonSerializer.Serialize(command, KeeperMessageContext.Default.KeeperCommand);
            Assert.Equal(command, JsonSerializer.Deserialize(text, KeeperMessageContext.Default.KeeperCommand));
        }

        Assert.Equal(KindsOf<KeeperCommand>(), Commands.Select(command => command.GetType().Name).Distinct().Order());
    }

    [Fact]
    public void Message_IsThatLine()
    {
        Assert.Equal(
            """{"type":"step","atUs":1,"name":"network","state":"done","elapsedUs":5,"detail":"made"}""",
            Line(new KeeperStep(1, "network", KeeperStepState.Done, 5, "made"))
        );
        Assert.Equal("""{"type":"machine","atUs":3,"state":"halted"}""", Line(new MachineReport(3, MachineState.Halted)));
        Assert.Equal(
            """{"type":"counters","atUs":5,"values":{"dropped-udp":17}}""",
            Line(new KeeperCounters(5, new Dictionary<string, long> { ["dropped-udp"] = 17 }))
        );
        Assert.Equal("""{"type":"reply","id":7}""", Line(new KeeperReply(7)));

        static string Line(KeeperMessage message) => JsonSerializer.Serialize(message, KeeperMessageContext.Default.KeeperMessage);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"type":"tale","atUs":1}""")]
    [InlineData("""{"type":1,"atUs":1}""")]
    [InlineData("""{"type":"running"}""")]
    [InlineData("""{"type":"running","atUs":"1"}""")]
    [InlineData("""{"type":"running","atUs":1.5}""")]
    [InlineData("""{"type":"running","atUs":null}""")]
    [InlineData("""{"type":"console","atUs":1,"line":null}""")]
    [InlineData("""{"type":"console","atUs":1,"line":["a"]}""")]
    [InlineData("""{"type":"console","atUs":1,"line":"\ud800"}""")]
    [InlineData("""{"type":"machine","atUs":1,"state":"Paused"}""")]
    [InlineData("""{"type":"machine","atUs":1,"state":1}""")]
    [InlineData("""{"type":"counters","atUs":1,"values":{"a":"b"}}""")]
    [InlineData("""{"type":"counters","atUs":1,"values":[1]}""")]
    [InlineData("""{"type":"reply","id":1,"problem":2}""")]
    public void Message_ThatLacksAFieldOrHasAnotherKind_IsRefused(string text) =>
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize(text, KeeperMessageContext.Default.KeeperMessage));

    [Theory]
    [InlineData("""{"type":"pause"}""")]
    [InlineData("""{"type":"dance","id":1}""")]
    [InlineData("""{"type":"fork","id":1}""")]
    [InlineData("""{"type":"stop","id":1,"deadlineMs":4294967296}""")]
    public void Command_ThatLacksAFieldOrHasAnotherKind_IsRefused(string text) =>
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize(text, KeeperMessageContext.Default.KeeperCommand));

    [Fact]
    public void Message_WithAFieldOfALaterKeeper_IsRead() =>
        Assert.Equal(
            new GuestRunning(1),
            JsonSerializer.Deserialize("""{"type":"running","atUs":1,"new":{"a":[1]}}""", KeeperMessageContext.Default.KeeperMessage)
        );

    private static IEnumerable<string> KindsOf<T>() =>
        typeof(T).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(T)) && !type.IsAbstract).Select(type => type.Name).Order();
}
