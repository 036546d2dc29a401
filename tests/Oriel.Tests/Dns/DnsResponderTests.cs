using System.Net;
using Oriel.Keeper.Dns;

namespace Oriel.Tests.Dns;

public sealed class DnsResponderTests
{
    private const int ShortRun = 100_000;

    private readonly SyntheticNames _names = new();

    [Fact]
    public void Answer_ToAnAddressQuestion_IsTheNamesSyntheticAddress()
    {
        var question = DnsMessages.Question("WWW.Example.com");
        var answer = Answer(question);

        Assert.Equal(DnsMessages.U16(question, 0), DnsMessages.U16(answer, 0));
        Assert.Equal(0x8580, DnsMessages.U16(answer, 2));
        Assert.Equal((0, 1), (DnsMessages.Code(answer), DnsMessages.Answers(answer)));
        // The question comes back unchanged, letter case included (draft-vixie-dnsext-dns0x20).
        Assert.Equal(question[12..], answer[12..question.Length]);
        var record = answer[question.Length..];
        Assert.Equal<byte>([0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4], record[..12]);
        var address = new IPAddress(record[12..]);
        Assert.Equal(IPAddress.Parse("198.18.0.1"), address);
        Assert.Equal("www.example.com", _names.NameOf(address));
    }

    [Theory]
    [InlineData(DnsMessages.Aaaa)]
    [InlineData(DnsMessages.Https)]
    [InlineData(33)]
    [InlineData(255)]
    [InlineData(252)]
    public void Answer_ToAnyOtherType_IsEmptyAndWithoutError(ushort type)
    {
        var answer = Answer(DnsMessages.Question("example.com", type));

        Assert.Equal((0, 0), (DnsMessages.Code(answer), DnsMessages.Answers(answer)));
        Assert.Equal(0, _names.Count);
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("a.localhost")]
    [InlineData("printer.local")]
    [InlineData("router")]
    [InlineData("")]
    [InlineData("127.0.0.1")]
    [InlineData("0x7f.1")]
    [InlineData("x.onion")]
    [InlineData("a b.example.com")]
    [InlineData("a\0.example.com")]
    [InlineData("caf\u00e9.example.com")]
    public void Answer_ToWhatIsNoNameOfTheNetwork_IsNoSuchName(string name)
    {
        var answer = Answer(DnsMessages.Question(name));

        Assert.Equal((3, 0), (DnsMessages.Code(answer), DnsMessages.Answers(answer)));
        Assert.Equal(0, _names.Count);
    }

    [Theory]
    [InlineData("canary.oriel.internal")]
    [InlineData("_dmarc.example.com")]
    [InlineData("xn--caf-dma.example.com")]
    [InlineData("r1---sn-a-.example.com")]
    [InlineData("1.2.3.example")]
    public void Answer_ToAnUnusualNameOfTheNetwork_IsAnAddress(string name) =>
        Assert.Equal(1, DnsMessages.Answers(Answer(DnsMessages.Question(name))));

    [Fact]
    public void Answer_ToALabelWithADotInIt_IsNoSuchName()
    {
        var question = DnsMessages.Question("aXb.com");
        question[14] = (byte)'.';

        Assert.Equal(3, DnsMessages.Code(Answer(question)));
    }

    [Fact]
    public void Answer_ToAReverseQuestion_IsTheNameOrNoSuchName()
    {
        _names.AddressOf("www.example.com");

        var answer = Answer(DnsMessages.Question("1.0.18.198.in-addr.arpa", DnsMessages.Ptr));
        Assert.Equal(DnsMessages.Name("www.example.com"), answer[^17..]);
        Assert.Equal(3, DnsMessages.Code(Answer(DnsMessages.Question("2.0.18.198.in-addr.arpa", DnsMessages.Ptr))));
        Assert.Equal(3, DnsMessages.Code(Answer(DnsMessages.Question("8.8.8.8.in-addr.arpa", DnsMessages.Ptr))));
    }

    [Fact]
    public void Answer_ToTheLongestName_FitsInADatagramOfOldAndInTheBuffer()
    {
        var name = string.Join('.', Enumerable.Repeat(new string('a', 61), 4)) + ".ab12";
        Assert.Equal(253, name.Length + 1);
        var answer = Answer(DnsMessages.Question(name, edns: true));
        Assert.Equal(1, DnsMessages.Answers(answer));
        Assert.InRange(answer.Length, 1, 512);

        var reverse = Answer(DnsMessages.Question("1.0.18.198.in-addr.arpa", DnsMessages.Ptr, edns: true));
        Assert.Equal(1, DnsMessages.Answers(reverse));
        Assert.InRange(reverse.Length, 1, 512);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 16)]
    public void Answer_ToAQuestionWithEdns_HasEdnsToo(byte version, int code)
    {
        var answer = Answer(DnsMessages.Question("example.com", edns: true, ednsVersion: version));

        Assert.Equal((1, code), (DnsMessages.U16(answer, 10), DnsMessages.Code(answer)));
    }

    [Fact]
    public void Answer_ToOtherOperationsAndClasses_RefusesThem()
    {
        Assert.Equal(4, DnsMessages.Code(Answer(DnsMessages.Question("example.com", flags: 0x2800))));
        Assert.Equal(5, DnsMessages.Code(Answer(DnsMessages.Question("version.bind", 16, @class: 3))));
    }

    [Fact]
    public void Answer_ToAnAnswerOrAFragment_IsNone()
    {
        Assert.Empty(Answer(DnsMessages.Question("example.com", flags: 0x8180)));
        Assert.Empty(Answer([1, 2, 3]));
    }

    [Theory]
    [InlineData("compressed")]
    [InlineData("two-questions")]
    [InlineData("truncated")]
    [InlineData("trailing")]
    [InlineData("name-too-long")]
    public void Answer_ToAMalformedQuestion_IsAFormatError(string what)
    {
        var question = DnsMessages.Question("example.com");
        question = what switch
        {
            "compressed" => [.. question[..12], 0xC0, 12, 0, 1, 0, 1],
            "two-questions" => [.. question[..5], 2, .. question[6..]],
            "truncated" => question[..^1],
            "trailing" => [.. question, 0],
            _ => DnsMessages.Question(string.Join('.', Enumerable.Repeat(new string('a', 63), 4))),
        };

        Assert.Equal((1, 0), (DnsMessages.Code(Answer(question)), DnsMessages.Answers(Answer(question))));
    }

    [Fact]
    public void Answer_ToAnyBytes_NeverThrowsAndIsWellFormed()
    {
        var buffer = new byte[DnsResponder.BufferLength];
        var responder = new DnsResponder(new SyntheticNames(64));
        Fuzzer.Run(
            "dns",
            message =>
            {
                var length = responder.Answer(message.ToArray(), buffer);
                Assert.InRange(length, 0, 512);
                Assert.True(length is 0 or >= 12);
                Assert.True(length == 0 || (buffer.AsSpan(0, 2).SequenceEqual(message[..2]) && buffer[2] >= 0x80 && buffer[7] <= 1));
            },
            ShortRun
        );
    }

    private byte[] Answer(byte[] question)
    {
        var buffer = new byte[DnsResponder.BufferLength];
        return buffer[..new DnsResponder(_names).Answer(question, buffer)];
    }
}
