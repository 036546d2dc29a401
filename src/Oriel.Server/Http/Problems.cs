using Microsoft.AspNetCore.Mvc;
using Oriel.Desktops.Registry;
using Oriel.Protocol;

namespace Oriel.Server.Http;

/// <summary>Errors of the API: RFC 9457 with a <c>reason</c> code, kebab-case.</summary>
internal static class Problems
{
    public static IResult Of(int status, string reason, string detail) => Results.Problem(Details(status, reason, detail));

    public static IResult BadRequest(string detail) => Of(StatusCodes.Status400BadRequest, RequestReasons.BadRequest, detail);

    /// <summary>Where only a part of an interrupted put is there: <c>kept</c> bytes, from which it can go on.</summary>
    public static IResult Kept(int status, string reason, string detail, long kept)
    {
        var details = Details(status, reason, detail);
        details.Extensions["kept"] = kept;
        return Results.Problem(details);
    }

    public static IResult NoSuchDesktop(string id) =>
        Of(StatusCodes.Status404NotFound, RequestReasons.NoSuchDesktop, $"There is no desktop {id}.");

    /// <summary>For the reasons of <see cref="DesktopUnavailableException"/>.</summary>
    public static IResult Unavailable(DesktopUnavailableException e) => Of(StatusOf(e.Reason), e.Reason, e.Message);

    public static int StatusOf(string reason) =>
        reason switch
        {
            RequestReasons.NoSuchDesktop => StatusCodes.Status404NotFound,
            RequestReasons.DesktopGone => StatusCodes.Status410Gone,
            _ => StatusCodes.Status409Conflict,
        };

    /// <summary>For middleware, outside of any endpoint.</summary>
    public static Task WriteAsync(HttpContext context, int status, string reason, string detail) =>
        Of(status, reason, detail).ExecuteAsync(context);

    private static ProblemDetails Details(int status, string reason, string detail) =>
        new()
        {
            Status = status,
            Title = Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status),
            Detail = detail,
            Extensions = { ["reason"] = reason },
        };
}
