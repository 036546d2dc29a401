using System.Buffers.Binary;
using System.Text;

namespace Oriel.Tests.Dns;

/// <summary>Makes questions and reads answers, independently of the code under test.</summary>
internal static class DnsMessages
{
    public const ushort A = 1;
    public const ushort Ptr = 12;
    public const ushort Aaaa = 28;
    public const ushort Https = 65;

    public static byte[] Question(
        string name,
        ushort type = A,
        ushort @class = 1,
        ushort flags = 0x0100,
        bool edns = false,
        byte ednsVersion = 0
    )
    {
        var message = new List<byte>();
        Add(message, 0x1234, flags, 1, 0, 0, (ushort)(edns ? 1 : 0));
        message.AddRange(Name(name));
        Add(message, type, @class);
        if (edns)
        {
            message.AddRange([0, 0, 41, 4, 208, 0, ednsVersion, 0, 0, 0, 0]);
        }

        return [.. message];
    }

    public static byte[] Name(string name)
    {
        var bytes = new List<byte>();
        foreach (var label in name.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            bytes.Add((byte)label.Length);
            bytes.AddRange(Encoding.Latin1.GetBytes(label));
        }

        bytes.Add(0);
        return [.. bytes];
    }

    public static ushort U16(byte[] message, int at) => BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(at));

    /// <summary>The response code, with EDNS's upper bits where there is an OPT at the end.</summary>
    public static int Code(byte[] answer) => (answer[3] & 0xF) | (U16(answer, 10) == 1 ? answer[^6] << 4 : 0);

    public static int Answers(byte[] answer) => U16(answer, 6);

    private static void Add(List<byte> message, params ushort[] values)
    {
        foreach (var value in values)
        {
            message.Add((byte)(value >> 8));
            message.Add((byte)value);
        }
    }
}
