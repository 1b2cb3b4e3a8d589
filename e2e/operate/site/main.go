// Site is a web application that takes its time: /slow answers after the milliseconds it is asked for, /under tells how many of those are under way,
// /pid its process id.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

func main() {
	http.HandleFunc("GET /pid", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) })
	var under atomic.Int64
	http.HandleFunc("GET /under", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, under.Load()) })
	http.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		under.Add(1)
		defer under.Add(-1)
		ms, _ := strconv.Atoi(r.URL.Query().Get("ms"))
		time.Sleep(time.Duration(ms) * time.Millisecond)
		fmt.Fprint(w, "done")
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)) //nolint:gosec // a test's own
}
