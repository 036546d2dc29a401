using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;
using Oriel.Images.Store;
using Oriel.Protocol.Layout;
using Oriel.Server.Drivers;

namespace Oriel.Server.Commands.CommandLine;

/// <summary>What the values of an option or argument are: read and judged before its command runs.</summary>
/// <param name="Name">As options.txt has it.</param>
/// <param name="Meaning">What a value is, in words.</param>
/// <param name="Read">Throws <see cref="FormatException"/> with what is wrong, as a sentence that begins with the value.</param>
internal sealed record Kind<T>(string Name, string Meaning, Func<string, T> Read);

internal static class Kind
{
    public static readonly Kind<bool> Flag = new("flag", "nothing", _ => true);

    public static readonly Kind<string> Text = new("string", "a name", text => text);

    public static readonly Kind<IPAddress> Ip = new("ip", "an IP address, such as 127.0.0.1", Address);

    public static readonly Kind<IPNetwork> Cidr = new(
        "cidr",
        "a network, such as 10.0.0.0/8",
        text =>
            IPNetwork.TryParse(text, out var network)
                ? network
                : throw new FormatException($"'{text}' is not a network, such as 10.0.0.0/8.")
    );

    public static readonly Kind<KeyValuePair<string, IPAddress>> Pair = new(
        "pair",
        "NAME=ADDRESS",
        text =>
            text.Split('=') is [{ Length: > 0 } name, { Length: > 0 } address]
                ? new(name, Address(address))
                : throw new FormatException($"'{text}' is not NAME=ADDRESS.")
    );

    public static readonly Kind<DnsEndPoint> Endpoint = new(
        "endpoint",
        "HOST:PORT",
        text =>
            text.LastIndexOf(':') is var colon and > 0
            && ushort.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port > 0
                ? new DnsEndPoint(text[..colon].TrimStart('[').TrimEnd(']'), port)
                : throw new FormatException($"'{text}' is not HOST:PORT.")
    );

    public static readonly Kind<int> Port = Number("port", "a port, 0 to 65535", 0, ushort.MaxValue);

    public static readonly Kind<string> Driver = new(
        "driver",
        DriverChoice.Names,
        text => DriverChoice.IsName(text) ? text : throw new FormatException($"there is no driver '{text}': take {DriverChoice.Names}.")
    );

    /// <summary>One that is made where it does not exist yet.</summary>
    public static readonly Kind<string> Directory = new(
        "dir",
        "a folder",
        text => System.IO.File.Exists(text) ? throw new FormatException($"'{text}' is a file, not a folder.") : Path.GetFullPath(text)
    );

    public static readonly Kind<string> Folder = new(
        "folder",
        "a folder",
        text => System.IO.Directory.Exists(text) ? Path.GetFullPath(text) : throw new FormatException($"there is no folder '{text}'.")
    );

    public static readonly Kind<string> File = new(
        "file",
        "a file",
        text => System.IO.File.Exists(text) ? Path.GetFullPath(text) : throw new FormatException($"there is no file '{text}'.")
    );

    public static Kind<int> Int(int least, int most) => Number($"int:{least}-{most}", $"a number from {least} to {most}", least, most);

    private static IPAddress Address(string text) =>
        IPAddress.TryParse(text, out var address)
            ? address
            : throw new FormatException($"'{text}' is not an IP address, such as 127.0.0.1.");

    private static Kind<int> Number(string name, string meaning, int least, int most) =>
        new(
            name,
            meaning,
            text =>
                int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
                    ? number
                    : throw new FormatException($"'{text}' is not {meaning}.")
        );
}

internal interface IKinded
{
    string KindName { get; }

    string Meaning { get; }
}

/// <summary>May be given once.</summary>
internal sealed class KindOption<T> : Option<T>, IKinded
{
    public KindOption(string name, Kind<T> kind)
        : base(name)
    {
        (KindName, Meaning) = (kind.Name, kind.Meaning);
        if (kind.Name != Kind.Flag.Name)
        {
            CustomParser = result => Values.Read(result, name, kind) is [var value] ? value : default;
        }
    }

    public string KindName { get; }

    public string Meaning { get; }
}

/// <summary>May be repeated.</summary>
internal sealed class KindOptions<T> : Option<IReadOnlyList<T>>, IKinded
{
    public KindOptions(string name, Kind<T> kind)
        : base(name)
    {
        (KindName, Meaning) = (kind.Name, kind.Meaning);
        Arity = ArgumentArity.OneOrMore;
        CustomParser = result => Values.Read(result, name, kind);
        DefaultValueFactory = _ => [];
    }

    public string KindName { get; }

    public string Meaning { get; }
}

internal sealed class KindArgument<T> : Argument<T>, IKinded
{
    public KindArgument(string name, Kind<T> kind)
        : base(name)
    {
        (KindName, Meaning) = (kind.Name, kind.Meaning);
        CustomParser = result => Values.Read(result, name, kind) is [var value] ? value : default;
    }

    public string KindName { get; }

    public string Meaning { get; }
}

internal static class Values
{
    public static Option<string> Data() =>
        new KindOption<string>("--data", Kind.Directory)
        {
            Description = "Data directory; default: /var/lib/oriel as root, ~/.local/share/oriel as a user",
            DefaultValueFactory = _ => DataLayout.DefaultRoot(),
        };

    /// <summary>An option taken for the value of the one before it makes what follows wrong too: this comes first.</summary>
    public const string Needed = " needs a value: ";

    /// <returns>Nothing where one of them is wrong, which is then an error of the result.</returns>
    public static IReadOnlyList<T> Read<T>(ArgumentResult result, string name, Kind<T> kind)
    {
        try
        {
            return
            [
                .. result.Tokens.Select(token =>
                    token.Value is "" || token.Value.StartsWith("--", StringComparison.Ordinal)
                        ? throw new FormatException(Needed + kind.Meaning + ".")
                        : kind.Read(token.Value)
                ),
            ];
        }
        catch (FormatException e)
        {
            result.AddError(e.Message.StartsWith(Needed, StringComparison.Ordinal) ? name + e.Message : $"{name}: {e.Message}");
            return [];
        }
    }
}
