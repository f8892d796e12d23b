package fake

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// refusal is why a request is not carried out, with the code WhatsApp gives it (Meta: troubleshooting).
type refusal struct {
	status  int
	code    int
	title   string
	details string
}

func invalid(details string) *refusal {
	return &refusal{http.StatusBadRequest, 100, "Invalid parameter", details}
}

// Meta names the conditions of the next two without a code of their own (Meta: user-initiated calls); they are refused
// as invalid parameters.
func unknownCall() *refusal { return invalid("Invalid call_id") }

func alreadyOver(verb string) *refusal {
	return invalid(verb + " an already In Progress/Completed/Failed call")
}

func tooLate() *refusal {
	return &refusal{http.StatusInternalServerError, 138007,
		"Connect timeout", "The SDP was not applied within the answer window"}
}

func ongoing() *refusal {
	return &refusal{http.StatusBadRequest, 138003, "Duplicate call", "A call with this user is already ongoing"}
}

func notPermitted() *refusal {
	return &refusal{http.StatusUnauthorized, 138006,
		"No approved call permission from the recipient", "Ask the user for permission first"}
}

func notFound(what string) *refusal {
	return &refusal{http.StatusNotFound, 0, "Not found", what}
}

// body renders the refusal in one of the shapes that may reach a client.
func (r *refusal) body(shape ErrorShape) (contentType string, body []byte) {
	switch shape {
	case ErrorObject:
		return jsonBody(map[string]any{"error": map[string]any{
			"message": fmt.Sprintf("(#%d) %s", r.code, r.title), "type": "OAuthException", "code": r.code,
			"error_data": map[string]any{"messaging_product": "whatsapp", "details": r.details},
			"fbtrace_id": "AfakeTraceIdOfThisStandIn",
		}})
	case ErrorText:
		return jsonBody(map[string]any{"message": r.details})
	case ErrorHTML:
		page := fmt.Sprintf("<html>\r\n<head><title>%d %[2]s</title></head>\r\n"+
			"<body><center><h1>%[1]d %[2]s</h1></center></body>\r\n</html>\r\n", r.status, http.StatusText(r.status))
		return "text/html", []byte(page)
	case ErrorEmpty:
		return "", nil
	default:
		return jsonBody(map[string]any{
			"errors":  []map[string]any{{"code": r.code, "title": r.title, "details": r.details}},
			"message": r.title,
		})
	}
}

func jsonBody(v any) (string, []byte) {
	body, err := json.Marshal(v)
	if err != nil { // only maps and structs of this package come here
		panic(err)
	}
	return "application/json", body
}
